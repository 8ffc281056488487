"""NIfTI volumes with mask volumes, as slices with what was drawn on them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from covidct.errors import DatasetError, UnreadableSlice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.file import load
from covidct.imaging.formats.nifti import Volume, is_nifti, open_volume
from covidct.messages import N_

APART_MM = 5.0  # between slices that are taken; nearer ones show nearly the same
_ENDINGS = (".nii.gz", ".nii")


def is_volume(file: Path) -> bool:
    """Whether a file is a NIfTI volume, by its first bytes."""
    with file.open("rb") as opened:
        return is_nifti(opened.read(4096))


def volume_name(file: Path) -> str:
    """What a volume and its masks are called alike."""
    return next((file.name.removesuffix(e) for e in _ENDINGS if file.name.endswith(e)), file.stem)


def drawn_slices(file: Path, masks: list[Path]) -> Iterator[tuple[CTSlice, list[np.ndarray]]]:
    """The slices of a volume, `APART_MM` apart, each with what is drawn on it.

    Volume and masks are laid upright by their own affines. Slices that show nothing are left out.

    Args:
        file: the volume.
        masks: folders with a mask volume of its name each; whatever is above zero is drawn.

    Yields:
        A slice and uint8 (H, W), 0 or 1, for each folder.

    Raises:
        DatasetError: a mask is missing or has other voxels than its volume.
        UnreadableSlice: a volume cannot be read.
    """
    volume = open_volume(load(file))
    drawn = [_mask(folder, file, volume) for folder in masks]
    positions = np.array(volume.positions)
    apart = float(np.diff(positions).mean()) if positions.size > 1 else APART_MM
    for index in volume.slices[:: max(1, round(APART_MM / apart))]:
        try:
            ct_slice = volume.read(index)
        except UnreadableSlice:
            if volume.is_mask:
                raise
            continue
        yield ct_slice, [(mask.values(index) > 0).astype(np.uint8) for mask in drawn]


def _mask(folder: Path, file: Path, volume: Volume) -> Volume:
    named = [folder / f"{volume_name(file)}{ending}" for ending in _ENDINGS]
    mask = next((open_volume(load(one)) for one in named if one.is_file()), None)
    if mask is None or mask.stored.shape != volume.stored.shape:
        raise DatasetError(
            N_(
                "Each volume needs a mask volume of its name and voxels in {folder}; {file} is "
                "missing or of another size.",
                folder=folder,
                file=named[0].name,
            )
        )
    return mask
