"""Numbers of any depth as grey levels: Hounsfield units in the lung window, others stretched."""

import numpy as np

from covidct.imaging.dicom.window import is_hounsfield, lung_window
from covidct.imaging.formats.pixels import ramp
from covidct.messages import N_, Message

_HU_OFFSETS = (0, 32768, 1024)  # of plain values, of DeepLesion's PNG files, of stored CT
_BONE = 255
_SAMPLED = 512  # values a side that tell Hounsfield units; all of a large picture take much room


def greys_of(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """A picture's values (H, W) as grey levels, uint8 (H, W), and what was done.

    Hounsfield units, plain or with an offset as data sets store them, get the lung window; other
    numbers that were 8-bit once stay as they were, and the rest is stretched.
    """
    if values.dtype == np.uint8:
        return values, ()
    step = max(1, max(values.shape) // _SAMPLED)
    offset = hounsfield_offset(values[::step, ::step])
    if offset is not None:
        return lung_window(values.astype(np.float32) - np.float32(offset)), (offset_note(offset),)
    return stretched(values, values.min(), values.max())


def hounsfield_offset(sample: np.ndarray) -> int | None:
    """What values of any shape are above Hounsfield units; None where they are none."""
    sample = sample.astype(np.float64)
    for offset in _HU_OFFSETS:
        shows_bone = sample.max() - offset > _BONE  # else a picture of any kind may pass for CT
        if (shows_bone or not offset) and is_hounsfield(sample - offset):
            return offset
    return None


def offset_note(offset: int) -> Message:
    """How the lung window was come to."""
    return N_(
        "The values are Hounsfield units (offset {offset}): lung window for the network.",
        offset=offset,
    )


def stretched(values: np.ndarray, low: float, high: float) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers as uint8: those that were 8-bit once as they were, others stretched, which is said.

    Args:
        values: of any shape and depth.
        low: the lowest of all, which becomes black.
        high: the highest, which becomes white.
    """
    for step in (1, 257, 256):
        if low >= 0 and high <= 255 * step and not (values % step).any():
            return (values // step).astype(np.uint8), ()
    depth = (
        N_("Floating-point")
        if values.dtype.kind == "f"
        else N_("{bits}-bit", bits=8 * values.dtype.itemsize)
    )
    note = N_(
        "{depth} image: its own range from {low:g} to {high:g} was stretched to 8 bits.",
        depth=depth,
        low=low,
        high=high,
    )
    return ramp(values, low, high), (note,)
