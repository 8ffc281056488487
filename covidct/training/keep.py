"""Leave a trained network in a folder as a model that can be opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from covidct.data.prepared import PreparedSlices
from covidct.files import deflate, flush_to_disk, replace_bytes, sha256_of
from covidct.imaging.anatomy.thorax_crop import network_pixels
from covidct.inference.calibration import Calibration
from covidct.inference.card import CARD_FILE, KERAS_FILE, MODEL_FILE, ModelCard
from covidct.inference.classifier import Classifier
from covidct.models.backbones import get_backbone
from covidct.models.head import LinearHead
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph

if TYPE_CHECKING:
    import keras

_DIGITS = 4  # of the average map that are kept
_KERAS_PART = "unfinished.keras"  # Keras insists on the ending


def keep_model(
    folder: Path,
    card: ModelCard,
    network: keras.Model,
    graph: bytes,
    head: LinearHead,
    slices: PreparedSlices,
    progress: Callable[[Iterable[np.ndarray]], Iterable[np.ndarray]] = iter,
) -> ModelCard:
    """Put a model in its place; until its card is written, last, there is no model here.

    Args:
        folder: where to.
        card: all but the hashes and the average map, which are added.
        network: with the same weights, for the Keras file.
        graph: the trunks as a LiteRT file.
        head: of the graph's features.
        slices: those that it was trained on, for the average map.
        progress: wraps the slices' pixels, to show how far it is.

    Returns:
        The card that was written.
    """
    card = write_model_files(folder, card, network, graph, head)
    trunks = TrunkMaps(Graph(graph), get_backbone(card.backbone))
    card = _with_average_map(card, Classifier(trunks, head, card), slices, progress)
    card.write(folder)
    return card


def write_model_files(
    folder: Path, card: ModelCard, network: keras.Model, graph: bytes, head: LinearHead
) -> ModelCard:
    """Put both files of a model in their place, each at once, and take its card away.

    Returns:
        The card with their hashes, which is still to be written.
    """
    (folder / CARD_FILE).unlink(missing_ok=True)
    network.save(folder / _KERAS_PART)
    deflate(folder / _KERAS_PART)
    flush_to_disk(folder / _KERAS_PART)
    (folder / _KERAS_PART).replace(folder / KERAS_FILE)
    replace_bytes(folder / MODEL_FILE, head.appended_to(graph))
    return replace(
        card,
        sha256=sha256_of(folder / MODEL_FILE),
        keras_sha256=sha256_of(folder / KERAS_FILE),
    )


def _with_average_map(
    card: ModelCard, classifier: Classifier, slices: PreparedSlices, progress: Callable
) -> ModelCard:
    """The card with the mean class activation map of slices."""
    batch = os.cpu_count() or 1
    total = np.zeros(classifier.trunks.grid)
    pixels = list(progress(slices.pixels))
    for start in range(0, len(pixels), batch):
        images = network_pixels(np.stack(pixels[start : start + batch]), card.preprocess_input)
        total += classifier.forward(images)[1].sum(axis=0)
    rows = (total / len(pixels)).tolist()
    average = tuple(tuple(float(f"{value:.{_DIGITS}g}") for value in row) for row in rows)
    return replace(card, average_map=average)


def differing_verdicts(calibrations: Sequence[Calibration], logits: Sequence[np.ndarray]) -> float:
    """The share of slices that two networks call differently, each by its own calibration.

    Args:
        calibrations: of both networks.
        logits: of the same slices by each, float (N,).
    """
    first, second = (
        calibration.probability(of_one) >= calibration.operating_point
        for calibration, of_one in zip(calibrations, logits, strict=True)
    )
    return float(np.mean(first != second))
