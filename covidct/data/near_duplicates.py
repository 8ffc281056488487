"""Which slices show the same picture, whatever its margin, size, window or compression."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from covidct.imaging.anatomy.dark_regions import dark_regions
from covidct.imaging.anatomy.lungs import bounding_box
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.formats.pixels import ramp

# Of 255 bits. By eye, all 32 pairs of COVID-CT up to here show one patient in the same or in
# neighbouring slices, four of them filed under two patients; the first pair of different patients
# differs by 52. 24 pairs of SARS-CoV-2-CT at 30 to 44 bits agreed. Unrelated slices differ by 127.
NEARLY_THE_SAME = 40

FINGERPRINT_BYTES = 32

_CHEST_SIDE, _SIDE, _FREQUENCIES, _MARGIN = 128, 64, 16, 0.05


def fingerprint(ct_slice: CTSlice) -> np.ndarray:
    """A perceptual hash of the chest: pHash (Zauner 2010) with 255 bits instead of 64.

    Each bit says whether one of the lowest frequencies of the discrete cosine transform is above
    their median. Taken of the chest alone, since the same slice is published with other margins.

    Returns:
        uint8 (32,), packed bits.
    """
    chest = _lungs(ct_slice)
    shrinks = chest.shape[0] > _CHEST_SIDE
    chest = cv2.resize(
        np.ascontiguousarray(chest),
        (_CHEST_SIDE, _CHEST_SIDE),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    low, high = np.percentile(chest, (1, 99))  # a window may cut off what lies beyond
    even = ramp(chest, low, max(high, low + 1))
    small = cv2.resize(even, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    frequencies = cv2.dct(small)[:_FREQUENCIES, :_FREQUENCIES].ravel()[1:]
    return np.packbits(frequencies > np.median(frequencies))


def _lungs(ct_slice: CTSlice) -> np.ndarray:
    """The lungs' bounding box with a margin; the whole figure where no lungs are found.

    The lungs are what is dark: by grey levels alone the box of two files of one picture differs
    least.
    """
    pixels, figure = ct_slice.pixels, ct_slice.figure.box
    dark = replace(ct_slice.figure, lungs=dark_regions(ct_slice.figure.grey))
    lungs = bounding_box(dark.lung_mask(ct_slice.shape))
    if lungs.width < figure.width / 3:  # none, or one of them missed
        return figure.of(pixels)
    margin = round(_MARGIN * (max(lungs.width, lungs.height) - 1))
    return lungs.grown(margin, figure).of(pixels)


def near_pairs(fingerprints: np.ndarray, most: int = NEARLY_THE_SAME) -> list[tuple[int, int]]:
    """Pairs of positions (smaller first) whose fingerprints differ by at most ``most`` bits.

    Args:
        fingerprints: uint8 (N, 32).
        most: the number of bits.
    """
    pairs = []
    for first in range(len(fingerprints) - 1):
        near = are_near(fingerprints[first], fingerprints[first + 1 :], most)
        pairs += [(first, first + 1 + int(i)) for i in np.flatnonzero(near)]
    return pairs


def are_near(one: np.ndarray, fingerprints: np.ndarray, most: int = NEARLY_THE_SAME) -> np.ndarray:
    """Which fingerprints differ from one by at most ``most`` bits, bool (N,).

    Args:
        one: uint8 (32,).
        fingerprints: uint8 (N, 32).
        most: the number of bits.
    """
    words = np.ascontiguousarray(fingerprints).view(np.uint64)
    return np.bitwise_count(words ^ one.view(np.uint64)).sum(axis=1) <= most


def connected(pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """Groups of positions that hang together by pairs, each in rising order."""
    from scipy.sparse import coo_array  # here, since every verdict reads a card with hashes
    from scipy.sparse.csgraph import connected_components

    if not pairs:
        return ()
    ends = np.array(pairs)
    size = ends.max() + 1
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    _, group = connected_components(links, directed=False)
    return tuple(sorted(_members(group, set(ends.ravel().tolist()))))


def _members(group: np.ndarray, positions: Iterable[int]) -> Iterable[tuple[int, ...]]:
    members: dict[int, list[int]] = {}
    for position in sorted(positions):
        members.setdefault(int(group[position]), []).append(position)
    return map(tuple, members.values())
