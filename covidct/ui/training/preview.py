"""What the network will see of a few slices: cropped, sized and changed at random."""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from covidct.data.augment import Augmentation, augment
from covidct.errors import UnreadableSlice
from covidct.imaging.anatomy.thorax_crop import crop_thorax
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.readers import read_slice

_GAP = 4


def crops_of_files(paths: Iterable[Path], grid: tuple[int, int], at_most: int) -> list[np.ndarray]:
    """The first slices that can be read, as the network gets them: uint8 (h, w, 4) each."""
    crops: list[np.ndarray] = []
    for path in paths:
        if len(crops) == at_most:
            break
        try:
            crops.append(crop_thorax(read_slice(path), grid).pixels)
        except (UnreadableSlice, OSError):
            continue
    return crops


def crops_of_phantoms(grid: tuple[int, int], count: int) -> list[np.ndarray]:
    """The same of synthetic slices, every other one with lesions."""
    slices = (phantom_slice(seed, 5 * (seed % 2)).ct_slice for seed in range(count))
    return [crop_thorax(ct_slice, grid).pixels for ct_slice in slices]


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
    """Crops (h, w, 4) as pictures in a grid, uint8 (H, W).

    Args:
        rows: of equally many each.
        cell: columns of a picture in the grid; its rows keep the aspect.
        ground: grey between the pictures.
    """
    first = rows[0][0]
    high = round(cell * first.shape[0] / first.shape[1])
    height, width = len(rows) * (high + _GAP) - _GAP, len(rows[0]) * (cell + _GAP) - _GAP
    canvas = np.full((height, width), ground, np.uint8)
    for r, row in enumerate(rows):
        for c, pixels in enumerate(row):
            top, left = r * (high + _GAP), c * (cell + _GAP)
            canvas[top : top + high, left : left + cell] = cv2.resize(
                np.ascontiguousarray(pixels[..., 0]), (cell, high), interpolation=cv2.INTER_AREA
            )
    return canvas
