"""The training run, readable from top to bottom."""

import csv
import sys
from collections.abc import Callable, Iterable
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
from covidct.inference.calibration import fit_calibration
from covidct.inference.store import MODEL_FILE, ModelCard, sha256_of
from covidct.models.backbones import get_preprocess_input
from covidct.models.network import DROPOUT_LAYER, build_network, freeze_for_finetuning
from covidct.training.config import TrainConfig
from covidct.training.metrics import epoch_metrics
from covidct.training.run_folder import (
    BACKUP_FOLDER,
    BEST_WEIGHTS,
    METRICS_FILE,
    MONITORED,
    SKIPPED_FILE,
    drop_metrics_after,
    finished_epochs,
    read_metrics,
    read_run_folder,
    start_run_folder,
)

_EVALUATION_BATCH = 32


def fit(
    data: str | PathLike,
    run: str | PathLike,
    config: TrainConfig,
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> ModelCard:
    """Train a network and leave it in the run folder as a model that can be opened.

    Writes ``config.json``, ``metrics.csv`` (a row an epoch), ``skipped.csv`` (files left out, and
    why), ``backup/`` (the state to resume from), and at the end ``model.keras`` with the weights
    of the epoch that had the best validation AUC, and its ``card.json``.

    Args:
        data: a data set folder.
        run: the run folder, new or empty.
        config: the settings.
        progress: wraps the reading of the slices, to show how far it is.

    Returns:
        The card of the trained model, calibrated on the validation slices.

    Raises:
        ConfigError: the run folder is in use, or the ImageNet weights cannot be had.
        DatasetError: the data cannot be trained on.
    """
    start_run_folder(Path(run), Path(data).resolve(), config)
    return _train(Path(run), progress)


def resume(
    run: str | PathLike,
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> ModelCard:
    """Go on after the last whole epoch of an interrupted run; otherwise like :func:`fit`.

    Raises:
        ConfigError: there is no run in the folder.
    """
    return _train(Path(run), progress)


def _train(run: Path, progress: Callable) -> ModelCard:
    data, config = read_run_folder(run)
    keras.utils.set_random_seed(config.seed)

    index = read_index(data)
    training_items, validation_items = split_for_training(
        index, config.validation_share, config.seed
    )
    slices = prepare(training_items + validation_items, config.input_size, progress)
    _write_skipped(run, index.skipped + slices.skipped)
    training, validation = slices.of(training_items), slices.of(validation_items)

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

    network.fit(
        training_stream,
        validation_data=validation_stream,
        epochs=config.epochs,
        shuffle=False,  # the stream shuffles
        class_weight=class_weights(training.labels) if config.class_weights else None,
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=_callbacks(run, config, network),
    )

    network.load_weights(run / BEST_WEIGHTS)
    keras.Model(network.input, network.output, name=config.backbone).save(run / MODEL_FILE)
    logits = network.predict(validation_stream, verbose=0)[:, 0]
    card = ModelCard(
        name=run.name,
        sha256=sha256_of(run / MODEL_FILE),
        backbone=config.backbone,
        image_size=config.input_size,
        pixel_scaling=config.pixel_scaling,
        calibration=fit_calibration(logits, validation.labels),
        about=_about(config, training, validation, read_metrics(run)),
    )
    card.write(run)
    return card


def _compiled_network(config: TrainConfig, training_slices: int) -> keras.Model:
    network = build_network(
        config.backbone, config.input_size, dropout=config.dropout, imagenet=config.imagenet
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
    return network


def _steps(config: TrainConfig, training_slices: int) -> int:
    return -(-training_slices // config.batch_size)


def _callbacks(
    run: Path, config: TrainConfig, network: keras.Model
) -> list[keras.callbacks.Callback]:
    finished = finished_epochs(run)
    drop_metrics_after(run, finished)
    best = max((row[MONITORED] for row in read_metrics(run)), default=None)
    dropout = network.get_layer(DROPOUT_LAYER).seed_generator.state
    callbacks = [
        # A backup does not hold the state of dropout, which a resumed run must share.
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, _: dropout.assign([config.seed, epoch])
        ),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.ModelCheckpoint(
            run / BEST_WEIGHTS,
            monitor=MONITORED,
            mode="max",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=best,
        ),
        keras.callbacks.CSVLogger(run / METRICS_FILE, append=finished > 0),
        keras.callbacks.BackupAndRestore(
            run / BACKUP_FOLDER, double_checkpoint=True, delete_checkpoint=False
        ),
    ]
    if config.early_stopping:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                MONITORED, mode="max", patience=config.early_stopping, baseline=best
            )
        )
    return callbacks


def _about(
    config: TrainConfig,
    training: PreparedSlices,
    validation: PreparedSlices,
    epochs: list[dict[str, float]],
) -> dict:
    best = max(epochs, key=lambda row: row[MONITORED])
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
        "best_epoch": int(best["epoch"]) + 1,
    }


def _write_skipped(run: Path, skipped: Iterable[Skipped]) -> None:
    with (run / SKIPPED_FILE).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "reason"])
        rows.writerows((skip.path.name, skip.reason) for skip in skipped)
