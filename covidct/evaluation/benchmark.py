"""What training costs beside the bare network, as ratios measured in one run."""

import json
import time
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import keras
import numpy as np

from covidct.data.augment import augment
from covidct.data.index import read_index
from covidct.data.splits import split_for_training
from covidct.data.stream import PreparedSlices, prepare, training_batches
from covidct.imaging.preprocess import network_pixels
from covidct.models.backbones import get_preprocess_input
from covidct.models.network import build_network, freeze_for_finetuning
from covidct.training.config import TrainConfig

_REPEATS = 3


def training_cost(data: str | PathLike, config: TrainConfig, out: Path) -> dict[str, float]:
    """Time an epoch of training beside Keras' own fit of the same network on cached arrays.

    Both are timed in turn, after one epoch of each to warm up; the quickest of three counts.

    Args:
        data: a data set folder; its training part is used.
        config: backbone, image size, batch size and augmentation of the run.
        out: the JSON file to write.

    Returns:
        slices; ``training_vs_bare``, how many times longer an epoch takes with streaming and
        augmentation than without; ``reading_vs_epoch`` and ``augmentation_vs_epoch``, what reading
        all slices once and augmenting them once take beside an epoch of training.

    Raises:
        DatasetError: the data cannot be trained on.
    """
    items, _ = split_for_training(read_index(data), config.validation_share, config.seed)
    started = time.perf_counter()
    slices = prepare(items, config.input_size).of(items)
    reading = time.perf_counter() - started

    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    network = _compiled(config)
    stream = training_batches(
        slices, config.batch_size, preprocess_input, config.augmentation, config.seed, lambda: 0
    )
    cached = np.asarray(network_pixels(slices.pixels.astype(np.float32), preprocess_input))

    def streamed() -> None:
        network.fit(stream, shuffle=False, verbose=0)

    def bare() -> None:
        network.fit(cached, slices.labels, batch_size=config.batch_size, verbose=0)

    streamed()
    bare()
    epochs = [(_seconds(streamed), _seconds(bare)) for _ in range(_REPEATS)]
    epoch, bare_epoch = np.min(epochs, axis=0)
    figures = {
        "slices": len(slices.items),
        "training_vs_bare": epoch / bare_epoch,
        "reading_vs_epoch": reading / epoch,
        "augmentation_vs_epoch": _seconds(lambda: _augment_all(slices, config)) / epoch,
    }
    out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures


def _compiled(config: TrainConfig) -> keras.Model:
    network = build_network(
        config.backbone, config.input_size, dropout=config.dropout, pretrained=config.pretrained
    )
    freeze_for_finetuning(network, config.trainable_share)
    network.compile("adamw", keras.losses.BinaryCrossentropy(from_logits=True))
    return network


def _augment_all(slices: PreparedSlices, config: TrainConfig) -> None:
    rng = np.random.default_rng(config.seed)
    for pixels in slices.pixels:
        augment(pixels, config.augmentation, rng)


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
