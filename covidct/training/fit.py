"""The training run, readable from top to bottom."""

import csv
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path

import keras
import numpy as np

from covidct.data.index import Item, Skipped, read_index
from covidct.data.splits import split_for_training
from covidct.data.stream import (
    PreparedSlices,
    class_weights,
    evaluation_batches,
    prepare,
    training_batches,
)
from covidct.errors import DatasetError, TrainingStopped
from covidct.files import NAMES, replace_text
from covidct.inference.calibration import fit_calibration
from covidct.inference.store import MODEL_FILE, ModelCard, sha256_of
from covidct.models.backbones import get_preprocess_input
from covidct.models.folding import fold_batch_norm
from covidct.models.network import DROPOUT_LAYER, build_network, freeze_for_finetuning
from covidct.spreadsheets import harmless
from covidct.training.callbacks import KeepEpochs, RefuseDivergence, SayProgress
from covidct.training.config import TrainConfig
from covidct.training.keep import keep_model, round_to_half_precision, with_maps_of
from covidct.training.metrics import epoch_metrics
from covidct.training.probe import pooled_views, pooling_of, solve_parts
from covidct.training.progress import ProgressWriter, recorded_run
from covidct.training.run_folder import (
    BEST_WEIGHTS,
    METRICS_FILE,
    SKIPPED_FILE,
    best_epoch,
    finished_epochs,
    is_trained,
    read_metrics,
    read_run_folder,
    start_run_folder,
)

_EVALUATION_BATCH = 32
_SLICES_FILE = "slices.json"


def fit(
    data: str | PathLike,
    run: str | PathLike,
    config: TrainConfig,
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
    exclude: Sequence[str] = (),
) -> ModelCard:
    """Train a network and leave it in the run folder as a model that can be opened.

    Writes ``config.json``, ``status.json`` (how far it is), ``metrics.csv`` (a row an epoch),
    ``skipped.csv`` (files left out, and why), ``backup/`` (the state to resume from),
    ``best.weights.h5``, and at the end ``model.keras`` with the weights of the epoch that had the
    best validation AUC, and its ``card.json``. Stopped by a file ``stop`` or SIGTERM, it ends after
    the current batch with the model of the best epoch so far.

    Args:
        data: a data set folder.
        run: the run folder, new or empty.
        config: the settings.
        progress: wraps the reading of the slices, to show how far it is.
        exclude: slices to leave out, each as its class folder and name ("CT_COVID/a.png").

    Returns:
        The card of the trained model, calibrated on the validation slices.

    Raises:
        ConfigError: the run folder is in use, the pretrained weights cannot be had, or the loss
            became no number.
        DatasetError: the data cannot be trained on.
        TrainingStopped: stopped on request before the first epoch had ended.
    """
    start_run_folder(Path(run), Path(data).resolve(), config, exclude)
    return resume(run, progress)


def resume(
    run: str | PathLike,
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> ModelCard:
    """Go on after the last whole epoch of an interrupted run; otherwise like :func:`fit`.

    Raises:
        ConfigError: there is no run in the folder.
        DatasetError: the data set is not the one that the run began with.
    """
    with recorded_run(Path(run)):
        return _train(Path(run), progress)


def _train(run: Path, progress: Callable) -> ModelCard:
    data, config, exclude = read_run_folder(run)
    keras.utils.set_random_seed(config.seed)
    writer = ProgressWriter(run)

    index = read_index(data, exclude, official_lists=config.official_lists)
    training_items, validation_items = split_for_training(
        index, config.validation_share, config.seed
    )
    slices = prepare(
        training_items + validation_items,
        config.input_size,
        lambda items: writer.watch(items, "Reading slices.", progress),
    )
    _refuse_vanished(slices)
    _refuse_other_slices(run, slices)
    _write_skipped(run, index.skipped + slices.skipped)
    training, validation = slices.of(training_items), slices.of(validation_items)

    writer.say(batch=0, batches=0, message="Building the network.")
    network = _compiled_network(config, len(training.items))
    steps = _steps(config, len(training.items))
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    training_stream = training_batches(
        training,
        config.batch_size,
        preprocess_input,
        config.augmentation,
        config.seed,
        current_epoch=lambda: int(network.optimizer.iterations) // steps,
    )
    validation_stream = evaluation_batches(validation, _EVALUATION_BATCH, preprocess_input)

    if config.probe_views and not finished_epochs(run):
        pooled = pooled_views(
            pooling_of(network),
            training,
            preprocess_input,
            config.augmentation,
            lambda views: writer.watch(views, "Solving the head."),
            views=config.probe_views,
            seed=config.seed,
        )
        solve_parts(network, pooled, balanced=config.class_weights).put_into(network)
    keep_epochs = KeepEpochs(run)
    with keep_epochs.lay_out():
        try:
            if not is_trained(run):
                network.fit(
                    training_stream,
                    validation_data=validation_stream,
                    epochs=config.epochs,
                    shuffle=False,  # the stream shuffles
                    class_weight=class_weights(training.labels) if config.class_weights else None,
                    verbose=1 if sys.stdout.isatty() else 2,
                    callbacks=[
                        *_callbacks(run, config, network, keep_epochs),
                        SayProgress(writer, steps, config.epochs),
                    ],
                )
        except TrainingStopped:
            if not finished_epochs(run):
                raise

    writer.say(epoch=finished_epochs(run), message="Keeping the best weights as a model.")
    network.load_weights(run / BEST_WEIGHTS)
    kept = fold_batch_norm(keras.Model(network.input, network.output, name=config.backbone))
    round_to_half_precision(kept)
    logits = kept.predict(validation_stream, verbose=0)[:, 0]
    keep_model(run, kept)
    card = ModelCard(
        name=run.name,
        sha256=sha256_of(run / MODEL_FILE),
        backbone=config.backbone,
        image_size=config.input_size,
        pixel_scaling=config.pixel_scaling,
        calibration=fit_calibration(logits, validation.labels),
        about=_about(config, training, validation, read_metrics(run)),
    )
    card = with_maps_of(
        card, kept, training, lambda slices: writer.count(slices, "Averaging the heat maps.")
    )
    card.write(run)
    return card


def _compiled_network(config: TrainConfig, training_slices: int) -> keras.Model:
    network = build_network(
        config.backbone, config.input_size, dropout=config.dropout, pretrained=config.pretrained
    )
    freeze_for_finetuning(network, config.trainable_share)
    steps = _steps(config, training_slices)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 100,
        warmup_target=config.learning_rate,
        warmup_steps=steps,
        decay_steps=max(1, (config.epochs - 1) * steps),
        alpha=0.01,
    )
    network.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay),
        loss=keras.losses.BinaryCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        ),
        metrics=epoch_metrics(),
    )
    network.optimizer.build(network.trainable_variables)  # or its state could not be loaded
    return network


def _steps(config: TrainConfig, training_slices: int) -> int:
    return -(-training_slices // config.batch_size)


def _callbacks(
    run: Path, config: TrainConfig, network: keras.Model, keep_epochs: KeepEpochs
) -> list[keras.callbacks.Callback]:
    dropout = network.get_layer(DROPOUT_LAYER).seed_generator.state
    return [
        # A backup does not hold the state of dropout, which a resumed run must share.
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, _: dropout.assign([config.seed, epoch])
        ),
        RefuseDivergence(),
        keras.callbacks.CSVLogger(run / METRICS_FILE, append=finished_epochs(run) > 0),
        keras.callbacks.BackupAndRestore(keep_epochs.unfinished, delete_checkpoint=False),
        keep_epochs,
    ]


def _refuse_vanished(slices: PreparedSlices) -> None:
    """Files that were listed and are gone mean a lost disk or folder, not a bad picture."""
    gone = sum(not os.access(skip.path, os.R_OK) for skip in slices.skipped)
    if gone:
        raise DatasetError(
            f"The data set became unreadable half-way: {gone} of its slices can no longer be "
            "opened. Check the folder, its disk and its permissions."
        )


def _refuse_other_slices(run: Path, slices: PreparedSlices) -> None:
    """A run goes on with what it began with, or its metrics would mean nothing."""
    digest = hashlib.sha256(slices.pixels.tobytes())
    for item in slices.items:
        digest.update(
            f"{item.class_name}/{item.path.name}/{item.patient}\n".encode(errors="replace")
        )
    held = {"slices": len(slices.items), "sha256": digest.hexdigest()}
    record = run / _SLICES_FILE
    if not record.exists():
        replace_text(record, json.dumps(held) + "\n")
        return
    began = json.loads(record.read_text(encoding="utf-8"))
    if began != held:
        raise DatasetError(
            "The data set is not the one that this run began with: "
            f"{began['slices']} slices could be read then, {held['slices']} now. Put it back as it "
            "was, or start a new run."
        )


def _about(
    config: TrainConfig,
    training: PreparedSlices,
    validation: PreparedSlices,
    epochs: list[dict[str, float]],
) -> dict:
    counts = {
        name: {
            "COVID": int(slices.labels.sum()),
            "NonCOVID": int((1 - slices.labels).sum()),
            "patients": len(np.unique(slices.patients)),
        }
        for name, slices in (("training", training), ("validation", validation))
    }
    return {
        "slices": counts,
        "recipe": config.as_flat_dict(),
        "epochs_run": len(epochs),
        "best_epoch": best_epoch(epochs),
    }


def _write_skipped(run: Path, skipped: Iterable[Skipped]) -> None:
    with (run / SKIPPED_FILE).open("w", newline="", **NAMES) as file:
        rows = csv.writer(file)
        rows.writerow(["file", "reason"])
        rows.writerows((harmless(skip.path.name), skip.reason) for skip in skipped)
