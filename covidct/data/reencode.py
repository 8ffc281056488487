"""What becomes of a slice on its way through other hands: stored as JPEG, made smaller, shown with
more contrast. All take the pixels of a slice, uint8 (H, W)."""

from collections.abc import Callable

import cv2
import numpy as np

from covidct.imaging.formats.pixels import MIN_SIDE
from covidct.imaging.formats.png import encode_png

_MIDDLE = 127.5
_QUALITIES, _SIZES, _CONTRASTS = (30, 81), (0.4, 0.75), (1.1, 1.4)


def as_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """The file of a slice, of a JPEG quality from 0 to 100."""
    return cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))[1].tobytes()


def resized(pixels: np.ndarray, factor: float) -> np.ndarray:
    """The slice, each side so many times as long; uint8 (H', W')."""
    rows, columns = (max(1, round(length * factor)) for length in pixels.shape)
    by = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(pixels, (columns, rows), interpolation=by)


def with_contrast(pixels: np.ndarray, factor: float) -> np.ndarray:
    """The slice, its grey levels so many times as far from the middle; uint8 (H, W)."""
    return as_greys(_MIDDLE + (pixels - _MIDDLE) * factor)


def as_greys(values: np.ndarray) -> np.ndarray:
    """Grey levels of any precision and range, cut off and rounded; uint8 (H, W)."""
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _as_jpeg_of_some_quality(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    return as_jpeg(pixels, int(rng.integers(*_QUALITIES)))


def _made_smaller(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    """No smaller than what is still read; the smallest slices of COVID-CT are all of one class."""
    still_read = MIN_SIDE / min(pixels.shape)
    return encode_png(resized(pixels, min(1, max(rng.uniform(*_SIZES), still_read))))


def _with_more_contrast(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    """Less of it takes nothing away that standardised grey levels do not bring back."""
    return encode_png(with_contrast(pixels, rng.uniform(*_CONTRASTS)))


REENCODED: tuple[Callable[..., bytes], ...] = (  # of pixels and rng
    _as_jpeg_of_some_quality,
    _made_smaller,
    _with_more_contrast,
)
