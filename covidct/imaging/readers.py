"""Bytes of any readable format to a CTSlice that no longer shows which format it was."""

import os
from collections.abc import Callable

import numpy as np

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.frames import read_dicom, read_dicom_hounsfield
from covidct.imaging.file import load
from covidct.imaging.formats.nifti import Volume, open_volume
from covidct.imaging.formats.pictures import read_picture
from covidct.imaging.formats.pixels import MAX_BYTES
from covidct.imaging.formats.sniff import sniff
from covidct.imaging.formats.tiff_stack import TiffStack, open_stack
from covidct.messages import N_

_SEVERAL: dict[str, Callable[[bytes], Volume | TiffStack]] = {
    "NIfTI": open_volume,
    "TIFF": open_stack,
}

Source = bytes | str | os.PathLike[str]


def read_slice(source: Source, frame: int | None = None) -> CTSlice:
    """Read one CT slice, given as the bytes of a file or as a path to it.

    The format is told from the content. Transparency is dropped and the colour under it kept;
    colours become grey by ITU-R 601; whatever else was done stands in the slice's notes.

    Args:
        source: the file.
        frame: which one of a file that holds several, from 0: a frame of a DICOM file, a page of a
            TIFF file, a slice of a volume, counted from the feet.

    Raises:
        UnreadableSlice: the bytes are not a slice that can be read; nothing else is raised.
    """
    data, kind = _sniffed(source)
    if kind == "DICOM":
        return read_dicom(data, frame)
    if kind in _SEVERAL:
        frames = _SEVERAL[kind](data)
        return frames.read(_chosen(frames, frame, kind))
    return read_picture(data, kind)


def read_hounsfield(source: Source, frame: int | None = None) -> np.ndarray | None:
    """The Hounsfield units of a slice, int16 (H, W), to be viewed in any window.

    The network is never given them: it has a window of its own, in which `read_slice` reads.

    Returns:
        None where the file holds none: any file but DICOM and NIfTI.

    Raises:
        UnreadableSlice: as for :func:`read_slice`.
    """
    data, kind = _sniffed(source)
    if kind == "DICOM":
        return read_dicom_hounsfield(data, frame)
    if kind in _SEVERAL:
        frames = _SEVERAL[kind](data)
        return frames.read_hounsfield(_chosen(frames, frame, kind))
    return None


def _chosen(frames: Volume | TiffStack, frame: int | None, kind: str) -> int:
    """Which one of a file is meant, from 0."""
    slices = frames.slices
    if frame is None and len(slices) > 1:
        raise UnsupportedEncoding(
            N_(
                "This {kind} file holds {frames} slices; open it as a series, or name a frame.",
                kind=kind,
                frames=len(slices),
            )
        )
    if frame is not None and frame not in slices:
        raise UnreadableSlice(
            N_("The file has no such frame: it holds {frames}.", frames=len(slices))
        )
    return slices[0] if frame is None else frame


def _sniffed(source: Source) -> tuple[bytes, str]:
    """The bytes of a file and its format."""
    data = bytes(source) if isinstance(source, bytes | bytearray | memoryview) else load(source)
    if len(data) > MAX_BYTES:
        raise UnreadableSlice(
            N_(
                "The file is larger than {most} MB; a single slice is far smaller.",
                most=MAX_BYTES // 1024**2,
            )
        )
    return data, sniff(data)
