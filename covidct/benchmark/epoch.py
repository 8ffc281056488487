"""What training costs beside the bare network, as ratios measured in one run."""

import time

import keras
import numpy as np

from covidct.benchmark.settings import Settings
from covidct.benchmark.timing import fastest, seconds
from covidct.data.augment import augment
from covidct.data.index import read_index
from covidct.data.prepared import PreparedSlices, prepare
from covidct.data.splits import split_for_training
from covidct.data.stream import training_batches
from covidct.imaging.anatomy.thorax_crop import network_pixels
from covidct.models.backbones import get_preprocess_input
from covidct.models.network import build_network, freeze_for_finetuning
from covidct.training.config import TrainConfig

_REPEATS = 3


def measure_epoch(settings: Settings, config: TrainConfig | None = None) -> dict[str, float]:
    """Time an epoch of training beside Keras' own fit of the same network on cached arrays.

    Both are timed in turn, after one epoch of each to warm up; the quickest of three counts.

    Args:
        settings: holds the data set; its training part is used.
        config: of the run; None is EfficientNet-Lite0.

    Returns:
        epoch_slices; ``training_vs_bare``, how many times longer an epoch takes with streaming and
        augmentation than without; ``reading_vs_epoch`` and ``augmentation_vs_epoch``, what reading
        all slices once and augmenting them once take beside an epoch of training.

    Raises:
        DatasetError: the data cannot be trained on.
    """
    assert settings.data is not None  # else it is not measured
    config = config or TrainConfig(backbone="efficientnet_lite0")
    items, _ = split_for_training(read_index(settings.data), config.validation_share, config.seed)
    started = time.perf_counter()
    slices = prepare(items, config.input_size).of(items)
    reading = time.perf_counter() - started

    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    network = _compiled(config)
    stream = training_batches(
        slices, config.batch_size, preprocess_input, config.augmentation, config.seed, lambda: 0
    )
    cached = network_pixels(slices.pixels, preprocess_input)

    epoch, bare_epoch = fastest(
        _REPEATS,
        lambda: network.fit(stream, shuffle=False, verbose=0),
        lambda: network.fit(cached, slices.labels, batch_size=config.batch_size, verbose=0),
    )
    return {
        "epoch_slices": len(slices.items),
        "training_vs_bare": epoch / bare_epoch,
        "reading_vs_epoch": reading / epoch,
        "augmentation_vs_epoch": seconds(lambda: _augment_all(slices, config)) / epoch,
    }


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
