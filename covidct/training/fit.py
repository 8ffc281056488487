"""The training run, readable from top to bottom."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from covidct.data.index import Item, Skipped, read_index
from covidct.data.prepared import PreparedSlices, prepare
from covidct.data.splits import split_for_training
from covidct.errors import DatasetError
from covidct.files import NAMES, replace_bytes, replace_text
from covidct.imaging.anatomy.segmentation import segmentation_id
from covidct.imaging.anatomy.thorax_crop import network_pixels
from covidct.inference.calibration import fit_calibration
from covidct.inference.card import ModelCard
from covidct.inference.learnt import hashes_of
from covidct.messages import N_, ngettext
from covidct.models.backbones import get_backbone, get_preprocess_input
from covidct.models.head import LinearHead
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph
from covidct.spreadsheets import write_table
from covidct.training.class_head import solve_classes
from covidct.training.config import TrainConfig
from covidct.training.head_epochs import drop_views, forget_views, solve_views
from covidct.training.keep import differing_verdicts, keep_model
from covidct.training.own_segmentation import how_segmentation_was_judged, settle_segmenter
from covidct.training.progress import ProgressWriter, recorded_run
from covidct.training.run_folder import (
    BACKUP_FOLDER,
    SKIPPED_FILE,
    corrections_of,
    finished_epochs,
    is_trained,
    kept_epoch,
    read_metrics,
    read_run_folder,
    start_run_folder,
)
from covidct.training.trunks import pretrained_graph, pretrained_network

if TYPE_CHECKING:
    import keras

MOST_DIFFERING = 0.03  # of validation verdicts between floats and integers; beyond, floats are kept
_EVALUATION_BATCH = 32
_SLICES_FILE = "slices.json"
_INTEGERS, _FLOATS, _DIFFERING = "integers.tflite", "floats.tflite", "differing.json"


class _Trained(NamedTuple):
    """A network in the two forms that are kept.

    Attributes:
        network: in Keras.
        graph: its trunks for LiteRT.
        head: of the graph's features.
        logits: of the validation slices, float (N,), by graph and head.
        in_integers: whether the graph runs in integers.
        differing: the share of validation verdicts on which integers and floats differ.
    """

    network: keras.Model
    graph: bytes
    head: LinearHead
    logits: np.ndarray
    in_integers: bool
    differing: float


def fit(
    data: str | PathLike,
    run: str | PathLike,
    config: TrainConfig,
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
    exclude: Sequence[str] = (),
    masks: Sequence[Path] = (),
) -> ModelCard:
    """Train a network and leave it in the run folder as a model that can be opened.

    Writes ``config.json``, ``status.json`` (how far it is), ``metrics.csv`` (a row an epoch),
    ``skipped.csv`` (files left out, and why), ``corrections.csv`` (of labels, where there are any),
    ``backup/`` (the state to resume from), and at the end ``model.tflite``, which is used,
    ``model.keras`` for further training, and ``card.json``. In ``segmentation`` lies what finds
    lungs and opacities, unless that is the shipped network.
    Without fine-tuning an epoch is a view of the slices that the head is solved on; with it, the
    weights kept are those of the epoch with the best validation AUC. Stopped by a file ``stop`` or
    SIGTERM, it ends after the current batch with the model of what was kept so far.

    Args:
        data: a data set folder.
        run: the run folder, new or empty.
        config: the settings.
        progress: wraps the reading of the slices, to show how far it is.
        exclude: slices to leave out, each as its class folder and name ("CT_COVID/a.png").
        masks: folders of slices with masks, as :func:`covidct.data.masks.read_masked_slices` reads
            them, from which lungs and opacities are learnt; without any the network in use keeps
            finding them.

    Returns:
        The card of the trained model, calibrated on the validation slices.

    Raises:
        ConfigError: the run folder is in use, the pretrained weights cannot be had, or the loss
            became no number.
        DatasetError: the data cannot be trained on.
        TrainingStopped: stopped on request before the first epoch had ended.
    """
    start_run_folder(Path(run), Path(data).resolve(), config, exclude, masks)
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
    data, config, exclude, _ = read_run_folder(run)
    writer = ProgressWriter(run)
    # Crops and features rest on what this finds: the model is used with the same
    segmenter = settle_segmenter(run, writer)

    index = read_index(data, exclude, corrections_of(run), official_lists=config.official_lists)
    training_items, validation_items = split_for_training(
        index, config.validation_share, config.seed, config.fold_of_folds
    )
    slices = prepare(
        training_items + validation_items,
        config.input_size,
        lambda items: writer.watch(items, N_("Reading and cropping slices."), progress),
        segmenter,
    )
    _refuse_vanished(slices)
    _refuse_other_slices(run, slices)
    _write_skipped(run, index.skipped + slices.skipped)
    training, validation = slices.of(training_items), slices.of(validation_items)

    train = _finetuned if config.finetuning_epochs else _solved
    trained = train(run, config, training, validation, writer)

    classes = solve_classes(
        trained.graph,
        config,
        training,
        validation,
        lambda slices: writer.count(slices, N_("Telling classes without COVID-19 apart.")),
    )
    card = ModelCard(
        name=run.name,
        sha256="",
        backbone=config.backbone,
        image_size=config.input_size,
        pixel_scaling=config.pixel_scaling,
        calibration=fit_calibration(trained.logits, validation.labels),
        about=_about(config, training, validation, run, trained),
        in_integers=trained.in_integers,
        learnt_from=hashes_of(training.fingerprints),
        segmentation=segmenter.sha256 if segmenter else segmentation_id(),
    )
    card = keep_model(
        run,
        card,
        trained.network,
        classes.appended_to(trained.graph) if classes else trained.graph,
        trained.head,
        training,
        lambda slices: writer.count(slices, N_("Averaging the class activation maps.")),
    )
    if is_trained(run):
        drop_views(run)
    return card


def _solved(
    run: Path,
    config: TrainConfig,
    training: PreparedSlices,
    validation: PreparedSlices,
    writer: ProgressWriter,
) -> _Trained:
    """The head solved on trunks that stay frozen: on integers, unless floats differ too much."""
    graph, in_integers = _frozen_graph(run, config, training, writer)
    trunks = TrunkMaps(Graph(graph), get_backbone(config.backbone))
    solved = solve_views(run, config, trunks, training, validation, writer)
    done = finished_epochs(run)

    from covidct.models.network import put_head

    writer.say(
        epoch=done, batch=0, batches=0, message=N_("Comparing verdicts in int8 and float32.")
    )
    network = pretrained_network(config)
    put_head(network, solved.head)
    record = run / BACKUP_FOLDER / _DIFFERING
    if in_integers:
        differing = _differing(network, config, validation, solved.validation_logits)
        replace_text(record, json.dumps(differing))
    else:
        differing = float(json.loads(record.read_text(encoding="utf-8")))
    if in_integers and differing > MOST_DIFFERING:
        writer.say(message=_too_different(differing))
        forget_views(run)
        floats = pretrained_graph(config, training.pixels, in_integers=False)
        replace_bytes(run / BACKUP_FOLDER / _FLOATS, floats)
        return _solved(run, config, training, validation, writer)
    head = solved.head.of_raw_features()
    return _Trained(network, graph, head, solved.validation_logits, in_integers, differing)


def _frozen_graph(
    run: Path, config: TrainConfig, training: PreparedSlices, writer: ProgressWriter
) -> tuple[bytes, bool]:
    """The graph of the frozen trunks, and whether it is one in integers; a resumed run goes on
    with the one that it began with."""
    backup = run / BACKUP_FOLDER
    backup.mkdir(exist_ok=True)
    if (backup / _FLOATS).exists():
        return (backup / _FLOATS).read_bytes(), False
    if not (backup / _INTEGERS).exists():
        writer.say(batch=0, batches=0, message=N_("Loading the pretrained backbone."))
        graph = pretrained_graph(
            config,
            training.pixels,
            lambda slices: writer.watch(slices, N_("Quantising the network to int8.")),
        )
        replace_bytes(backup / _INTEGERS, graph)
    return (backup / _INTEGERS).read_bytes(), True


def _finetuned(
    run: Path,
    config: TrainConfig,
    training: PreparedSlices,
    validation: PreparedSlices,
    writer: ProgressWriter,
) -> _Trained:
    """The fine-tuned network, converted to integers, unless its verdicts differ too much then."""
    from covidct.models.litert import float_graph, integer_graph, spread
    from covidct.models.network import head_of
    from covidct.training.finetune import finetune

    network = finetune(run, config, training, validation, writer)
    writer.say(
        epoch=finished_epochs(run),
        batch=0,
        batches=0,
        message=N_("Keeping the weights of the best epoch."),
    )
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    chosen = training.pixels[spread(len(training.pixels))]
    graph = integer_graph(
        network,
        network_pixels(chosen, preprocess_input),
        lambda slices: writer.count(slices, N_("Quantising the network to int8.")),
    )
    head = head_of(network)
    logits = _logits(graph, head, config, validation)
    differing = _differing(network, config, validation, logits)
    if differing > MOST_DIFFERING:
        writer.say(message=_too_different(differing))
        graph = float_graph(network)
        logits = _logits(graph, head, config, validation)
    in_integers = differing <= MOST_DIFFERING
    return _Trained(network, graph, head, logits, in_integers, differing)


def _too_different(share: float) -> str:
    return N_(
        "Integers change {share:.1%} of the validation verdicts: floats are kept.", share=share
    )


def _logits(
    graph: bytes, head: LinearHead, config: TrainConfig, slices: PreparedSlices
) -> np.ndarray:
    trunks = TrunkMaps(Graph(graph), get_backbone(config.backbone))
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    images = network_pixels(slices.pixels, preprocess_input)
    return trunks.activations_and_logits(images, head, mirrored=False)[1]


def _differing(
    network: keras.Model, config: TrainConfig, validation: PreparedSlices, logits: np.ndarray
) -> float:
    """The share of verdicts on which a network in floats differs from these logits."""
    from covidct.data.stream import evaluation_batches

    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    stream = evaluation_batches(validation, _EVALUATION_BATCH, preprocess_input)
    in_floats = network.predict(stream, verbose=0)[:, 0]
    calibrations = [fit_calibration(one, validation.labels) for one in (logits, in_floats)]
    return differing_verdicts(calibrations, (logits, in_floats))


def _refuse_vanished(slices: PreparedSlices) -> None:
    """Files that were listed and are gone mean a lost disk or folder, not a bad picture."""
    gone = sum(not os.access(skip.path, os.R_OK) for skip in slices.skipped)
    if gone:
        raise DatasetError(
            ngettext(
                "The data set became unreadable half-way: one of its slices can no longer be "
                "opened. Check the folder, its disk and its permissions.",
                "The data set became unreadable half-way: {count} of its slices can no longer be "
                "opened. Check the folder, its disk and its permissions.",
                gone,
            )
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
            N_(
                "The data set is not the one that this run began with: {began} slices could be "
                "read then, {held} now. Put it back as it was, or start a new run.",
                began=began["slices"],
                held=held["slices"],
            )
        )


def _about(
    config: TrainConfig,
    training: PreparedSlices,
    validation: PreparedSlices,
    run: Path,
    trained: _Trained,
) -> dict:
    return {
        "slices": {"training": training.counts, "validation": validation.counts},
        "recipe": config.as_flat_dict(),
        "epochs_run": len(read_metrics(run)),
        "best_epoch": kept_epoch(run),
        "conversion": {
            "in_integers": trained.in_integers,
            "differing_validation_verdicts": trained.differing,
            "most_accepted": MOST_DIFFERING,
        },
        "masks": how_segmentation_was_judged(run),
    }


def _write_skipped(run: Path, skipped: Iterable[Skipped]) -> None:
    with (run / SKIPPED_FILE).open("w", newline="", **NAMES) as file:
        write_table(file, ["file", "reason"], [(s.path.name, s.reason) for s in skipped])
