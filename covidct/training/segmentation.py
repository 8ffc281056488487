"""Train the network that finds lungs and opacities, on slices with hand-drawn masks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Queue
from typing import TYPE_CHECKING

import cv2
import numpy as np

from covidct.data.masks import MaskedSlice, synthetic_slices
from covidct.data.segmentation_views import random_view

if TYPE_CHECKING:
    import keras

EPOCHS = 26
DRAWINGS = 120
_FIRST_SEED = 20_000  # of drawings that nothing else uses
_BATCH = 8
_LEARNING_RATE, _LATER_RATE, _WEIGHT_DECAY, _AVERAGING = 2.5e-3, 3e-4, 1e-3, 0.995
_OPACITY_WEIGHT = 3.0  # against the lungs', which are larger and easier
_OVERLAP_WEIGHTS = (0.1, 0.15)
_SMOOTH = 50.0  # places; a batch without opacities has no overlap to speak of
_EXTENSIVE_WEIGHT, _EXTENSIVE = 3.0, 0.5
_EMPTY_WEIGHT = 4.0

Batch = tuple[np.ndarray, np.ndarray]


def fit_segmentation(
    slices: Sequence[MaskedSlice],
    seed: int,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    start: bytes | None = None,
) -> keras.Model:
    """A network of :func:`covidct.models.segmentation.segmentation_network`, trained.

    It learns from drawn slices as well, so that drawings are segmented, too.

    The loss is cross-entropy, whose probabilities are calibrated, with a little of the Dice loss
    (Milletari et al. 2016, arXiv:1606.04797), which helps along what is small. The weights are
    averaged over the last steps (Polyak and Juditsky 1992).

    Args:
        slices: to learn from.
        seed: of weights and views.
        progress: wraps the epochs.
        start: a graph whose network goes on learning, more slowly; None starts from random weights.
    """
    import keras

    from covidct.models.segmentation import network_of, segmentation_network

    slices = [*slices, *synthetic_slices(DRAWINGS, _FIRST_SEED)]
    keras.utils.set_random_seed(seed)
    network = segmentation_network() if start is None else network_of(start)
    steps = max(1, len(slices) // _BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        EPOCHS * steps,
        warmup_target=_LEARNING_RATE if start is None else _LATER_RATE,
        warmup_steps=steps,
    )
    optimizer = keras.optimizers.AdamW(
        rate,
        weight_decay=_WEIGHT_DECAY,
        clipnorm=1.0,
        use_ema=True,
        ema_momentum=_AVERAGING,
        ema_overwrite_frequency=None,
    )
    network.compile(optimizer, loss=_loss)
    batches = _ahead(_batches(slices, seed), EPOCHS * steps)
    for _ in progress(range(EPOCHS)):
        for _ in range(steps):
            network.train_on_batch(*next(batches))
    optimizer.finalize_variable_values(network.trainable_variables)
    return network


def sampling_weights(slices: Sequence[MaskedSlice]) -> np.ndarray:
    """How often each slice is shown, float (N,), of sum 1.

    A source counts as the root of its slices, so that the largest does not drown the others.
    Extensive opacities count up to two and a half times and slices without lungs four times, since
    there are few of both.
    """
    sources = np.array([one.source for one in slices])
    counts = {source: np.sum(sources == source) for source in np.unique(sources)}
    weights = np.array(
        [
            (
                1 + _EXTENSIVE_WEIGHT * min(_EXTENSIVE, one.share)
                if one.lungs.any()
                else _EMPTY_WEIGHT
            )
            / np.sqrt(counts[one.source])
            for one in slices
        ]
    )
    return weights / weights.sum()


def _batches(slices: Sequence[MaskedSlice], seed: int) -> Iterator[Batch]:
    from covidct.models.segmentation import GRID

    rng, weights = np.random.default_rng(seed), sampling_weights(slices)
    while True:
        chosen = rng.choice(len(slices), _BATCH, p=weights)
        views = [random_view(slices[i], rng) for i in chosen]
        pictures = np.stack([grey for grey, *_ in views], dtype=np.float32)[..., None]
        masks = [
            [cv2.resize(mask, (GRID, GRID), interpolation=cv2.INTER_AREA) for mask in drawn]
            for _, *drawn in views
        ]
        yield pictures, np.moveaxis(np.array(masks, np.float32), 1, -1) / 255


def _ahead(batches: Iterator[Batch], count: int) -> Iterator[Batch]:
    """So many batches, made in a thread while the network learns from those before."""
    made: Queue[Batch] = Queue(_BATCH)

    def make() -> None:
        for _ in range(count):
            made.put(next(batches))

    threading.Thread(target=make, daemon=True).start()
    for _ in range(count):
        yield made.get()


def _loss(drawn: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    from keras import ops

    entropy = ops.mean(ops.binary_crossentropy(drawn, logits, from_logits=True), axis=(0, 1, 2))
    found = ops.sigmoid(logits)
    overlap = 2 * ops.sum(found * drawn, axis=(0, 1, 2)) + _SMOOTH
    dice = 1 - overlap / (ops.sum(found + drawn, axis=(0, 1, 2)) + _SMOOTH)
    weights = ops.convert_to_tensor((1.0, _OPACITY_WEIGHT))
    return ops.sum(weights * entropy) + ops.sum(ops.convert_to_tensor(_OVERLAP_WEIGHTS) * dice)
