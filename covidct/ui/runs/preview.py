"""What the network will see of a few slices: cropped, sized and changed at random."""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from covidct.data.augment import Augmentation, augment
from covidct.errors import UnreadableSlice
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.preprocess import find_chest
from covidct.imaging.readers import read_slice

_GAP = 4


def crops_of_files(paths: Iterable[Path], side: int, at_most: int) -> list[np.ndarray]:
    """The first slices that can be read, as the network gets them: uint8 (side, side) each."""
    crops = []
    for path in paths:
        if len(crops) == at_most:
            break
        try:
            crops.append(find_chest(read_slice(path), (side, side)).pixels)
        except (UnreadableSlice, OSError):
            continue
    return crops


def crops_of_phantoms(side: int, count: int) -> list[np.ndarray]:
    """The same of synthetic slices, every other one with lesions."""
    slices = (phantom_slice(seed, 5 * (seed % 2)).ct_slice for seed in range(count))
    return [find_chest(ct_slice, (side, side)).pixels for ct_slice in slices]


def variants(
    crops: Sequence[np.ndarray], how: Augmentation, seed: int, count: int
) -> list[list[np.ndarray]]:
    """For each crop the crop itself and `count` random changes of it.

    The chance depends on seed and picture alone: moving one slider changes what that slider
    does, and not the whole draw.
    """
    rows = []
    for crop in crops:
        picture = zlib.crc32(crop.tobytes())
        changed = [
            augment(crop, how, np.random.default_rng([seed, picture, n])) for n in range(count)
        ]
        rows.append([crop, *changed])
    return rows


def montage(rows: Sequence[Sequence[np.ndarray]], cell: int, ground: int = 0) -> np.ndarray:
    """Pictures (S, S) in a grid of cells of `cell` pixels, uint8 (H, W).

    Args:
        rows: of equally many pictures each.
        cell: side of a picture in the grid.
        ground: grey between the pictures.
    """
    height = len(rows) * (cell + _GAP) - _GAP
    width = len(rows[0]) * (cell + _GAP) - _GAP
    canvas = np.full((height, width), ground, np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            top, left = r * (cell + _GAP), c * (cell + _GAP)
            canvas[top : top + cell, left : left + cell] = cv2.resize(
                picture, (cell, cell), interpolation=cv2.INTER_AREA
            )
    return canvas
