"""Prepared slices -> streamed batches of network pixels, for Keras."""

import itertools
from collections.abc import Callable, Iterator
from os import PathLike

import numpy as np
import tensorflow as tf

from covidct.data.augment import Augmentation, augment
from covidct.data.index import read_index
from covidct.data.prepared import PreparedSlices, prepare
from covidct.data.splits import split_for_training
from covidct.imaging.anatomy.thorax_crop import network_pixels
from covidct.models.backbones import unit_preprocess_input


def training_batches(
    slices: PreparedSlices,
    batch_size: int,
    preprocess_input: Callable,
    augmentation: Augmentation | None,
    seed: int,
    current_epoch: Callable[[], int],
) -> tf.data.Dataset:
    """Shuffled, augmented batches.

    Order and augmentation depend on seed and epoch alone, so a resumed run sees what an
    uninterrupted one would have seen.

    Args:
        slices: what to train on.
        batch_size: slices a batch.
        preprocess_input: a backbone's normalisation of (N, h, w, 3) from 0..255.
        augmentation: random changes, or None.
        seed: of order and augmentation.
        current_epoch: asked at the start of each pass over the data.

    Returns:
        Batches of float32 (B, h, w, 3) and labels float32 (B,).
    """

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng([seed, current_epoch()])
        labels = slices.labels
        order = rng.permutation(len(labels))
        for chosen in _chunks(order, batch_size):
            pixels = slices.pixels[chosen]
            if augmentation:
                pixels = np.stack([augment(one, augmentation, rng) for one in pixels])
            yield pixels, labels[chosen]

    return _stream(batches, slices, batch_size, preprocess_input)


def evaluation_batches(
    slices: PreparedSlices, batch_size: int, preprocess_input: Callable
) -> tf.data.Dataset:
    """The slices as they are and in their order; shapes as in :func:`training_batches`."""

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        labels = slices.labels
        for chosen in _chunks(np.arange(len(labels)), batch_size):
            yield slices.pixels[chosen], labels[chosen]

    return _stream(batches, slices, batch_size, preprocess_input)


def class_weights(labels: np.ndarray) -> dict[int, float]:
    """Weights that make both classes count the same: n / (2 · n of the class)."""
    positive = float(np.sum(labels == 1))
    negative = float(np.sum(labels == 0))
    total = positive + negative
    return {0: total / (2 * negative), 1: total / (2 * positive)}


def load_dataset(
    path: str | PathLike,
    image_size: tuple[int, int] = (224, 224),
    *,
    batch_size: int = 16,
    preprocess_input: Callable = unit_preprocess_input,
    augmentation: Augmentation | None = None,
    validation_share: float = 0.2,
    seed: int = 0,
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Training and validation batches of a data set folder.

    Args:
        path: a folder as :func:`covidct.data.index.read_index` understands it.
        image_size: rows and columns of the network's input.
        batch_size: slices a batch.
        preprocess_input: a backbone's normalisation of (N, h, w, 3) from 0..255; by default
            division by 255.
        augmentation: random changes of the training slices; none by default.
        validation_share: share of slices to validate on where there are no official lists.
        seed: of the split, the order and the augmentation.

    Returns:
        Training (shuffled) and validation (in order) batches: float32 (B, h, w, 3) and labels
        float32 (B,), 1 for COVID-19.

    Raises:
        DatasetError: the folder is no data set, or has too few readable slices or patients.
    """
    training, validation = split_for_training(read_index(path), validation_share, seed)
    slices = prepare(training + validation, image_size)
    return (
        training_batches(
            slices.of(training),
            batch_size,
            preprocess_input,
            augmentation,
            seed,
            current_epoch=itertools.count().__next__,
        ),
        evaluation_batches(slices.of(validation), batch_size, preprocess_input),
    )


def _chunks(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _stream(
    batches: Callable[[], Iterator],
    slices: PreparedSlices,
    batch_size: int,
    preprocess_input: Callable,
) -> tf.data.Dataset:
    def given() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for pixels, labels in batches():
            yield network_pixels(pixels, preprocess_input), labels

    pixels = tf.TensorSpec((None, *slices.pixels.shape[1:3], 3), tf.float32)
    labels = tf.TensorSpec((None,), tf.float32)
    stream = tf.data.Dataset.from_generator(given, output_signature=(pixels, labels))
    count = -(-len(slices.items) // batch_size)
    return stream.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)
