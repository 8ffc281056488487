"""Items -> slices that were read once and cut to the thorax."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from covidct.data.index import Item, Skipped
from covidct.data.near_duplicates import FINGERPRINT_BYTES, fingerprint
from covidct.errors import DatasetError, UnreadableSlice
from covidct.imaging.anatomy.segmentation import Segmenter
from covidct.imaging.anatomy.thorax_crop import crop_thorax
from covidct.imaging.readers import read_slice
from covidct.messages import N_


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSlices:
    """Slices read once and cut to the thorax.

    Attributes:
        pixels: uint8 (N, h, w, 4), as :attr:`.ThoraxCrop.pixels`.
        items: the N items, in the order of ``pixels``.
        fingerprints: uint8 (N, 32), as :func:`.fingerprint` gives them.
        skipped: files that could not be read, each with its reason.
        segmenter: what found their lungs and opacities; None is the shipped network.
    """

    pixels: np.ndarray
    items: tuple[Item, ...]
    fingerprints: np.ndarray
    skipped: tuple[Skipped, ...] = ()
    segmenter: Segmenter | None = None

    @property
    def labels(self) -> np.ndarray:
        """float32 (N,), 1 for COVID-19."""
        return np.array([item.label for item in self.items], np.float32)

    @property
    def patients(self) -> np.ndarray:
        """str (N,)."""
        return np.array([item.patient for item in self.items])

    @property
    def counts(self) -> dict[str, int]:
        """How many slices of each class, of how many patients, as a card tells it."""
        ill = int(self.labels.sum())
        patients = len(np.unique(self.patients))
        return {"COVID": ill, "NonCOVID": len(self.items) - ill, "patients": patients}

    def parts(self, size: int) -> list[tuple[int, "PreparedSlices"]]:
        """So many slices at a time, in their order, each part with the position of its first."""
        return [(first, self.part(first, size)) for first in range(0, len(self.items), size)]

    def part(self, first: int, size: int) -> "PreparedSlices":
        """So many slices from a position on."""
        some = slice(first, first + size)
        return replace(
            self,
            pixels=self.pixels[some],
            items=self.items[some],
            fingerprints=self.fingerprints[some],
            skipped=(),
        )

    def of(self, items: Iterable[Item]) -> "PreparedSlices":
        """Those of the given items that could be read.

        Raises:
            DatasetError: none of a class could be read.
        """
        position = {item.path: i for i, item in enumerate(self.items)}
        chosen = [position[item.path] for item in items if item.path in position]
        if {self.items[i].label for i in chosen} != {0, 1}:
            raise DatasetError(
                N_(
                    "Slices of both classes are needed; {read} could be read here and {unreadable} "
                    "files of the data set could not.",
                    read=len(chosen),
                    unreadable=len(self.skipped),
                )
            )
        return self.at(chosen)

    def at(self, positions: Sequence[int]) -> "PreparedSlices":
        """Those at some positions."""
        return replace(
            self,
            pixels=self.pixels[positions],
            items=tuple(self.items[i] for i in positions),
            fingerprints=self.fingerprints[positions],
            skipped=(),
        )


def prepare(
    items: Iterable[Item],
    image_size: tuple[int, int],
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
    segmenter: Segmenter | None = None,
) -> PreparedSlices:
    """Read slices and cut the thorax out; unreadable files are listed, not fatal.

    Args:
        items: what to read.
        image_size: rows and columns of the network's input.
        progress: wraps the iteration, to show how far it is.
        segmenter: what finds lungs and opacities, which must be what finds them for the network
            that is given these slices; None is the shipped one.
    """
    pixels, read, fingerprints, skipped = [], [], [], []

    def look(item: Item) -> tuple[np.ndarray, np.ndarray] | Skipped:
        try:
            ct_slice = read_slice(item.path)
        except UnreadableSlice as error:
            return Skipped(item.path, error.message)
        seen_by_network = ct_slice.segmented_by(segmenter)
        return crop_thorax(seen_by_network, image_size).pixels, fingerprint(ct_slice)

    items = list(items)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = pool.map(look, items)
        try:
            for item, one in zip(progress(items), seen, strict=True):
                if isinstance(one, Skipped):
                    skipped.append(one)
                    continue
                pixels.append(one[0])
                fingerprints.append(one[1])
                read.append(item)
        finally:
            pool.shutdown(cancel_futures=True)
    return PreparedSlices(
        np.array(pixels, np.uint8).reshape(-1, *image_size, 4),
        tuple(read),
        np.array(fingerprints, np.uint8).reshape(-1, FINGERPRINT_BYTES),
        tuple(skipped),
        segmenter,
    )


def read_anew(slices: PreparedSlices, to_file: Callable[[np.ndarray], bytes]) -> PreparedSlices:
    """The same slices out of other files, as if these had been uploaded.

    Args:
        slices: their items are read again.
        to_file: the other file's bytes from the pixels of a slice, uint8 (H, W); called once for
            each slice, in their order.

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
            skipped.append(Skipped(item.path, error.message))
        else:
            seen = ct_slice.segmented_by(slices.segmenter)
            pixels[position] = crop_thorax(seen, pixels.shape[1:3]).pixels
    return replace(slices, pixels=pixels, skipped=tuple(skipped))
