"""Slices from the Diagnose page that somebody asked to keep, to be labelled and learnt from later.

What is kept is the picture alone: no name, no header, no verdict. Slices of one upload lie in one
folder, so that they stay on the same side of any split.
"""

import hashlib
from pathlib import Path

import numpy as np

from covidct.data.index import UNLABELLED_FOLDER
from covidct.data.room import room_for
from covidct.files import replace_bytes
from covidct.home import data_dir
from covidct.imaging.formats.png import encode_png
from covidct.jobs import action_log
from covidct.messages import N_

_FOLDER = "Kept from Diagnose"


def kept_folder() -> Path:
    """The data set that they make; not created."""
    return data_dir() / _FOLDER


def is_kept(pixels: np.ndarray) -> bool:
    """Whether a slice is among them, uint8 (H, W)."""
    return any((kept_folder() / UNLABELLED_FOLDER).glob(f"*/{_name(pixels)}"))


def keep(pixels: np.ndarray, patient: str) -> None:
    """Store a slice.

    Args:
        pixels: uint8 (H, W).
        patient: the name of its folder, alike for slices that belong together.

    Raises:
        DatasetError: data sets may take no more of the disk.
        OSError: it cannot be written.
    """
    folder = kept_folder() / UNLABELLED_FOLDER / patient
    with room_for(pixels.nbytes):
        folder.mkdir(parents=True, exist_ok=True)
        replace_bytes(folder / _name(pixels), encode_png(pixels))
    action_log.record(N_("Kept a slice for labelling"), _FOLDER)


def _name(pixels: np.ndarray) -> str:
    digest = hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes())
    return f"{digest.hexdigest()[:16]}.png"
