"""Slices on which a person or the program has marked the lesions, to hold heat maps against."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from covidct.data.index import LESIONS, LUNGS
from covidct.data.masks import read_mask
from covidct.errors import DatasetError, NotALungSlice
from covidct.imaging.anatomy.gate import check_lung_slice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.gather import gather
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.series import Series
from covidct.imaging.sources import files_at
from covidct.messages import N_

SLICES = "series"

_ORIENTATIONS = {
    "as the slices": (1, 1),
    "mirrored left to right": (1, -1),
    "upside down": (-1, 1),
    "turned by 180°": (-1, -1),
}
_LEAST_OVERLAP = 0.7
_FIRST_PLANTED = 5000  # of the phantoms' seeds; tests and the first look use small ones
_MOST_LESIONS = 4


@dataclass(frozen=True, slots=True, eq=False)
class MarkedSlice:
    """A slice and where its lesions are, bool (H, W)."""

    ct_slice: CTSlice
    lesions: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class MarkedSeries:
    """The slices of a series that have lesions drawn on them.

    Attributes:
        marked: those that show lungs, in the order of the body.
        refused: how many with lesions the gate takes for no lung slice.
        orientation: how the masks lie on the slices.
        overlap: Dice coefficient of the series' lung masks, laid so, with the program's own.
    """

    marked: tuple[MarkedSlice, ...]
    refused: int
    orientation: str
    overlap: float


def read_marked_series(folder: Path) -> MarkedSeries:
    """Read a folder of ``series``, ``lesion-masks`` and ``lung-masks``.

    A mask is a PNG of its slice's name and size, white where marked. Masks that were converted from
    another format than their slices may be turned over, so of the four ways to lay them that one is
    taken in which their lung masks best overlap the lungs that the program finds.

    Raises:
        DatasetError: there is no such series, a mask is missing or of another size, the lung masks
            fit in no way, or no lesion is marked.
    """
    files = files_at(folder / SLICES)
    found = [group for group in gather(files) if isinstance(group, Series)]
    if not files or len(found) != 1:
        raise DatasetError(
            N_("The folder “{slices}” must hold the DICOM files of one series.", slices=SLICES)
        )
    slices = list(found[0])
    names = [Path(place.file).stem for place in found[0].places]
    drawn = [
        [
            _read_mask(folder / kind / f"{name}.png", one)
            for name, one in zip(names, slices, strict=True)
        ]
        for kind in (LUNGS, LESIONS)
    ]
    orientation, overlap = _orientation(slices, drawn[0])
    marked, refused = [], 0
    for one, mask in zip(slices, drawn[1], strict=True):
        if not mask.any():
            continue
        try:
            marked.append(MarkedSlice(check_lung_slice(one), _laid(mask, orientation)))
        except NotALungSlice:
            refused += 1
    if not marked:
        raise DatasetError(N_("No slice that shows lungs has a lesion marked."))
    return MarkedSeries(tuple(marked), refused, orientation, overlap)


def planted_lesions(count: int) -> list[MarkedSlice]:
    """Synthetic slices with one to four lesions drawn into them, always the same."""
    phantoms = (phantom_slice(_FIRST_PLANTED + i, 1 + i % _MOST_LESIONS) for i in range(count))
    return [MarkedSlice(phantom.ct_slice, phantom.lesion_mask) for phantom in phantoms]


def _read_mask(file: Path, ct_slice: CTSlice) -> np.ndarray:
    mask = read_mask(file, ct_slice.shape)
    if mask is None:
        raise DatasetError(
            N_(
                "Each slice of the series needs a PNG of its name and size in the folders "
                "“{lesions}” and “{lungs}”; one is missing, unreadable or of another size.",
                lesions=LESIONS,
                lungs=LUNGS,
            )
        )
    return mask


def _orientation(slices: Sequence[CTSlice], lungs: Sequence[np.ndarray]) -> tuple[str, float]:
    """How the masks lie on the slices, and how well they do."""
    own = [one.lung_mask for one in slices]
    sizes = sum(int(one.sum() + drawn.sum()) for one, drawn in zip(own, lungs, strict=True))
    overlaps = {
        name: sum(
            2 * int((one & _laid(drawn, name)).sum()) for one, drawn in zip(own, lungs, strict=True)
        )
        / max(sizes, 1)
        for name in _ORIENTATIONS
    }
    best = max(overlaps, key=overlaps.__getitem__)
    if overlaps[best] < _LEAST_OVERLAP:
        raise DatasetError(
            N_(
                "The lung masks do not fit the slices, turned over or not, so the lesion masks are "
                "not used either. Check that both belong to this series."
            )
        )
    return best, overlaps[best]


def _laid(mask: np.ndarray, orientation: str) -> np.ndarray:
    down, right = _ORIENTATIONS[orientation]
    return mask[::down, ::right]
