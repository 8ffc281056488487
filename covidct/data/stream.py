"""Items -> prepared slices -> streamed batches of network pixels."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike

import numpy as np
import tensorflow as tf

from covidct.data.augment import Augmentation, augment
from covidct.data.index import Item, Skipped, read_index
from covidct.data.splits import split_for_training
from covidct.errors import DatasetError, UnreadableSlice
from covidct.imaging.preprocess import find_chest, network_pixels
from covidct.imaging.readers import read_slice
from covidct.models.backbones import unit_preprocess_input


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSlices:
    """Slices read once and cut to the thorax.

    Attributes:
        pixels: uint8 (N, h, w, 3), as :attr:`covidct.imaging.preprocess.Chest.pixels`.
        items: the N items, in the order of ``pixels``.
        skipped: files that could not be read, each with its reason.
    """

    pixels: np.ndarray
    items: tuple[Item, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def labels(self) -> np.ndarray:
        """float32 (N,), 1 for COVID-19."""
        return np.array([item.label for item in self.items], np.float32)

    @property
    def patients(self) -> np.ndarray:
        """str (N,)."""
        return np.array([item.patient for item in self.items])

    def of(self, items: Iterable[Item]) -> "PreparedSlices":
        """Those of the given items that could be read.

        Raises:
            DatasetError: none of a class could be read.
        """
        position = {item.path: i for i, item in enumerate(self.items)}
        chosen = [position[item.path] for item in items if item.path in position]
        if {self.items[i].label for i in chosen} != {0, 1}:
            raise DatasetError(
                f"Slices of both classes are needed; {len(chosen)} could be read here and "
                f"{len(self.skipped)} files of the data set could not."
            )
        return PreparedSlices(self.pixels[chosen], tuple(self.items[i] for i in chosen))


def prepare(
    items: Iterable[Item],
    image_size: tuple[int, int],
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> PreparedSlices:
    """Read slices and cut the thorax out; unreadable files are listed, not fatal.

    Args:
        items: what to read.
        image_size: rows and columns of the network's input.
        progress: wraps the iteration, to show how far it is.
    """
    pixels, read, skipped = [], [], []
    for item in progress(items):
        try:
            ct_slice = read_slice(item.path)
        except UnreadableSlice as error:
            skipped.append(Skipped(item.path, str(error)))
            continue
        pixels.append(find_chest(ct_slice, image_size).pixels)
        read.append(item)
    shape = (0, *image_size, 3)
    return PreparedSlices(
        np.stack(pixels) if pixels else np.empty(shape, np.uint8), tuple(read), tuple(skipped)
    )


def read_anew(slices: PreparedSlices, to_file: Callable[[np.ndarray], bytes]) -> PreparedSlices:
    """The same slices out of other files, as if these had been uploaded.

    Args:
        slices: their items are read again.
        to_file: the other file's bytes from the pixels of a slice, uint8 (H, W).

    Returns:
        As many slices in the same order. Where the other file is refused a slice stays as it was
        and is listed in ``skipped``.

    Raises:
        UnreadableSlice: a slice itself cannot be read any more.
    """
    pixels, skipped = slices.pixels.copy(), []
    for position, item in enumerate(slices.items):
        data = to_file(read_slice(item.path).pixels)
        try:
            ct_slice = read_slice(data)
        except UnreadableSlice as error:
            skipped.append(Skipped(item.path, str(error)))
        else:
            pixels[position] = find_chest(ct_slice, pixels.shape[1:3]).pixels
    return PreparedSlices(pixels, slices.items, tuple(skipped))


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

    pixels = tf.TensorSpec((None, *slices.pixels.shape[1:]), tf.float32)
    labels = tf.TensorSpec((None,), tf.float32)
    stream = tf.data.Dataset.from_generator(given, output_signature=(pixels, labels))
    count = -(-len(slices.items) // batch_size)
    return stream.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)
