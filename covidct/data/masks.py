"""Slices on which lungs and opacities were drawn by hand, and how a training step sees them.

A folder of them holds its slices (in ``slices``, or the DICOM files of one patient in ``series``),
``lung-masks`` and, unless its slices show no opacity, ``lesion-masks``: PNG files of the same names
and sizes, white where something is drawn. Slices may be NIfTI volumes, whose masks then are volumes
of the same names and voxels. PNG masks that were converted from another format than their slices
may lie turned over; they are laid the way in which the lungs are darkest.

A data set with ``CT_COVID``, ``CT_NonCOVID`` or other classes is such a folder, too. Those of its
slices that have no lung mask are left out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from covidct.data.index import LESIONS, LUNGS, class_folders, files_below
from covidct.data.mask_volumes import drawn_slices, is_volume, volume_name
from covidct.errors import DatasetError
from covidct.imaging.anatomy.lungs import figure_box, working_grey
from covidct.imaging.anatomy.segmentation import in_square
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.readers import read_slice
from covidct.messages import N_

_SLICES, _SERIES = "slices", "series"
_WAYS = ((1, 1), (1, -1), (-1, 1), (-1, -1))  # steps along rows and columns
_DRAWN = 127
_DRAWING_SIDE = 320


@dataclass(frozen=True, slots=True, eq=False)
class MaskedSlice:
    """A slice in the square that the network sees, with what was drawn on it.

    Attributes:
        source: the folder's name.
        patient: slices with the same value must stay on the same side of any split.
        file: where it was read; None of a drawing or of a slice of a volume.
        grey: uint8 (256, 256).
        lungs: uint8 (256, 256), 0 or 1; opacities in them included.
        opacities: likewise.
    """

    source: str
    patient: str
    file: Path | None
    grey: np.ndarray
    lungs: np.ndarray
    opacities: np.ndarray

    @property
    def share(self) -> float:
        """The part of the lungs that is opaque, 0 to 1; 0 where there are none."""
        return float(self.opacities.sum() / max(1, self.lungs.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class DrawnSlice:
    """A slice and what was drawn on it, on its own grid.

    Attributes:
        source: the folder's name.
        patient: as :attr:`MaskedSlice.patient`.
        file: where it was read; None of a slice of a volume.
        ct_slice: the slice.
        lungs: uint8 (H, W), 0 or 1; opacities in them included.
        opacities: likewise.
    """

    source: str
    patient: str
    file: Path | None
    ct_slice: CTSlice
    lungs: np.ndarray
    opacities: np.ndarray


def read_masked_slices(folder: Path) -> list[MaskedSlice]:
    """The same as :func:`read_drawn_slices`, in the square that the network sees."""
    return [
        _masked(one.source, one.patient, one.file, (one.ct_slice.pixels, one.lungs, one.opacities))
        for one in read_drawn_slices(folder)
    ]


def read_drawn_slices(folder: Path) -> list[DrawnSlice]:
    """The slices of a folder, in the order of their names.

    What stands before the first underscore of a name is taken for the patient; a series is one,
    and so is a volume.

    Raises:
        DatasetError: the folder has another layout, or a mask is missing or of another size.
        UnreadableSlice: a file is no slice that can be read.
    """
    files = _files_of(folder) if (folder / LUNGS).is_dir() else []
    if not files:
        raise DatasetError(
            N_(
                "{folder} holds no slices with masks. Expected are a folder slices (or CT_COVID, "
                "CT_NonCOVID, series), a folder {lungs} and, unless no slice shows an opacity, "
                "{lesions}.",
                folder=folder,
                lungs=LUNGS,
                lesions=LESIONS,
            )
        )
    masks = [folder / name for name in (LUNGS, LESIONS) if (folder / name).is_dir()]
    volumes = [file for file in files if is_volume(file)]
    pictures = [file for file in files if file not in volumes]
    source, is_series = folder.resolve().name, files[0].is_relative_to(folder / _SERIES)
    drawn = [
        DrawnSlice(source, f"{source}/{volume_name(file)}", None, one, *_both(layers))
        for file in volumes
        for one, layers in drawn_slices(file, masks)
    ]
    read = [read_slice(file) for file in pictures]
    layers = [
        _both([_drawn(folder, file, one.pixels) for folder in masks])
        for file, one in zip(pictures, read, strict=True)
    ]
    down, right = _way([one.pixels for one in read], [lungs for lungs, _ in layers])
    return drawn + [
        DrawnSlice(
            source,
            f"{source}/{source if is_series else file.stem.split('_')[0]}",
            file,
            one,
            *(np.ascontiguousarray(layer[::down, ::right]) for layer in of_slice),
        )
        for file, one, of_slice in zip(pictures, read, layers, strict=True)
    ]


def _files_of(folder: Path) -> list[Path]:
    """The files of its slices; of a data set those of which the lungs are drawn."""
    for name in (_SLICES, _SERIES):
        if (folder / name).is_dir():
            return files_below(folder / name)
    drawn = {volume_name(file) for file in files_below(folder / LUNGS)}
    files = [
        file
        for images in class_folders(folder).values()
        for file in files_below(images)
        if volume_name(file) in drawn
    ]
    named = Counter(volume_name(file) for file in files)
    twice = next((name for name, count in named.items() if count > 1), None)
    if twice is not None:
        raise DatasetError(
            N_(
                "{folder} holds several slices of the name {name}, and one mask. Give each slice "
                "a name of its own.",
                folder=folder,
                name=twice,
            )
        )
    return files


def _both(layers: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lungs and opacities, of which there are none where they were not drawn."""
    return layers[0], layers[1] if len(layers) > 1 else np.zeros_like(layers[0])


def _way(pixels: Sequence[np.ndarray], lungs: Sequence[np.ndarray]) -> tuple[int, int]:
    """How masks are to be laid on slices: the way in which lungs are darkest."""

    def grey(way: tuple[int, int]) -> float:
        levels = [
            one[mask[:: way[0], :: way[1]] > 0] for one, mask in zip(pixels, lungs, strict=True)
        ]
        return float(np.concatenate(levels).mean()) if any(map(len, levels)) else 0.0

    return min(_WAYS, key=grey)


def synthetic_slices(count: int, first_seed: int) -> Iterator[MaskedSlice]:
    """Drawn slices, every other one with opacities, so that drawings are segmented too."""
    for seed in range(first_seed, first_seed + count):
        phantom = phantom_slice(seed, lesions=seed % 2 * (1 + seed % 5), size=_DRAWING_SIDE)
        masks = (phantom.lung_mask.view(np.uint8), phantom.lesion_mask.view(np.uint8))
        yield _masked("synthetic", f"synthetic/{seed}", None, (phantom.ct_slice.pixels, *masks))


def _masked(
    source: str,
    patient: str,
    file: Path | None,
    layers: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> MaskedSlice:
    box = figure_box(layers[0])
    figure, *masks = (np.ascontiguousarray(box.of(layer)) for layer in layers)
    grey = working_grey(figure)
    resized = (
        cv2.resize(mask, grey.shape[::-1], interpolation=cv2.INTER_NEAREST) for mask in masks
    )
    return MaskedSlice(source, patient, file, *map(in_square, (grey, *resized)))


def read_mask(file: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """Where something is drawn, bool of that shape; None where there is no such mask."""
    mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) if file.is_file() else None
    return None if mask is None or mask.shape != shape else mask > _DRAWN


def _drawn(folder: Path, slice_file: Path, pixels: np.ndarray) -> np.ndarray:
    file = folder / f"{slice_file.stem}.png"
    mask = read_mask(file, pixels.shape)
    if mask is None:
        raise DatasetError(
            N_(
                "Each slice needs a PNG of its name and size in {folder}; {file} is missing, "
                "unreadable or of another size.",
                folder=folder,
                file=file.name,
            )
        )
    return mask.view(np.uint8)
