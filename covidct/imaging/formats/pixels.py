"""What every reader owes to every picture: limits, refusal of empty ones, 8-bit greys."""

import struct
import zlib

import cv2
import numpy as np

from covidct.errors import UnreadableSlice
from covidct.messages import N_

COLOURED = 40  # difference between channels that no grey picture's rounding reaches
FEWEST_COLOURED = 16  # pixels that make a mark
MAX_BYTES = 500 * 1024**2  # nearly a thousand 16-bit frames of an enhanced CT
MAX_PIXELS = 50_000_000
MAX_CT_PIXELS = 4096**2  # of a DICOM frame, whose values take far more memory; scanners give 2048²
MAX_FRAMES = 5000  # of one file
MIN_SIDE = 64

# What Pillow, pydicom and OpenCV raise on damaged bytes, by their documentation and by fuzzing.
# `Warning` is among them because a process may run with warnings as errors, as the tests do.
DECODING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    cv2.error,
    struct.error,
    zlib.error,
)


def check_size(rows: int, columns: int, at_most: int = MAX_PIXELS) -> None:
    """Refuse a picture by its declared size, before a pixel of it is decoded.

    Args:
        rows: its height.
        columns: its width.
        at_most: so many pixels.

    Raises:
        UnreadableSlice: a side is below `MIN_SIDE`, or there are too many pixels.
    """
    size = f"{columns} × {rows} pixels"
    if min(rows, columns) < MIN_SIDE:
        raise UnreadableSlice(
            N_(
                "The image is too small: {size}. A slice needs at least {least} pixels a side.",
                size=size,
                least=MIN_SIDE,
            )
        )
    if rows * columns > at_most:
        raise too_large(size, at_most)


def too_large(size: str = "", at_most: int = MAX_PIXELS) -> UnreadableSlice:
    """The refusal of a picture of so many pixels."""
    return UnreadableSlice(
        N_(
            "The image is too large: {size}. At most {most} megapixels are read; export the "
            "slice at its original size.",
            size=size or N_("more than a decoder should be asked for"),
            most=at_most // 10**6,
        )
    )


def check_values(values: np.ndarray) -> None:
    """Refuse values, of any shape, that show nothing.

    Raises:
        UnreadableSlice: a value is not a finite number, or all are the same.
    """
    if not np.isfinite(values).all():
        raise UnreadableSlice(
            N_("The image holds pixels that are not numbers (NaN or infinite); export it again.")
        )
    spread = float(values.max()) - float(values.min()) if values.size else 0.0
    if not 1e-30 < spread < 1e300:
        raise UnreadableSlice(N_("All pixels are the same: there is no picture in this file."))


def ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Grey levels that rise linearly from 0 at `low` to 255 at `high`: uint8, shape of `values`."""
    with np.errstate(over="ignore"):
        greys = values - np.float64(low)
        greys *= 255.0 / (high - low)
    np.clip(greys, 0, 255, out=greys)
    return np.rint(greys, out=greys).astype(np.uint8)
