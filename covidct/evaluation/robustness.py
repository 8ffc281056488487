"""Verdicts that turn over when a slice is stored, sized or shown in another way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from covidct.errors import UnreadableSlice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.readers import read_slice
from covidct.inference.classifier import Classifier

_STORED, _SHOWN = 0.03, 0.05
_SHIFT = 0.05
_MIDDLE = 127.5


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody may do to a slice before it is uploaded.

    Attributes:
        name: as shown.
        to_file: the changed file's bytes from the pixels of the slice, uint8 (H, W).
        target: the greatest share of verdicts that may turn over.
    """

    name: str
    to_file: Callable[[np.ndarray], bytes]
    target: float


def labels_after(
    classifier: Classifier, ct_slices: Sequence[CTSlice], change: Change
) -> list[str | None]:
    """The label of each slice when it is changed; None where the changed file is refused.

    The changed file is read and preprocessed anew, as if it had been uploaded so.

    Args:
        classifier: the model.
        ct_slices: the slices as they are.
        change: what is done to them.
    """
    changed = [_read(change.to_file(ct_slice.pixels)) for ct_slice in ct_slices]
    looks = iter(classifier.look_at_many([one for one in changed if one is not None]))
    return [None if one is None else next(looks).prediction.label for one in changed]


def _read(data: bytes) -> CTSlice | None:
    try:
        return read_slice(data)
    except UnreadableSlice:
        return None


def _encoded(pixels: np.ndarray, ending: str = ".png", *parameters: int) -> bytes:
    return cv2.imencode(ending, pixels, parameters)[1].tobytes()


def _jpeg(quality: int) -> Change:
    def to_file(pixels: np.ndarray) -> bytes:
        return _encoded(pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)

    return Change(f"JPEG {quality}", to_file, _STORED)


def _picture(name: str, alter: Callable[[np.ndarray], np.ndarray], target: float) -> Change:
    """A change of the pixels, stored without loss."""
    return Change(name, lambda pixels: _encoded(alter(pixels)), target)


def _resized(pixels: np.ndarray, factor: float) -> np.ndarray:
    rows, columns = (max(1, round(length * factor)) for length in pixels.shape)
    by = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(pixels, (columns, rows), interpolation=by)


def _shifted(pixels: np.ndarray) -> np.ndarray:
    down, right = (round(length * _SHIFT) for length in pixels.shape)
    rows, columns = pixels.shape
    moved = pixels[: rows - down, : columns - right]
    return cv2.copyMakeBorder(moved, down, 0, right, 0, cv2.BORDER_REPLICATE)


def _with_contrast(pixels: np.ndarray, factor: float) -> np.ndarray:
    return _as_greys(_MIDDLE + (pixels - _MIDDLE) * factor)


def _with_gamma(pixels: np.ndarray, gamma: float) -> np.ndarray:
    return _as_greys(255 * (pixels / 255) ** gamma)


def _as_greys(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


CHANGES = (
    _jpeg(50),
    _jpeg(75),
    _jpeg(95),
    Change("PNG", _encoded, _STORED),
    _picture("resize 0.5×", partial(_resized, factor=0.5), _STORED),
    _picture("resize 2×", partial(_resized, factor=2), _STORED),
    _picture("mirror", np.fliplr, _SHOWN),
    _picture("shift 5 % right and down", _shifted, _SHOWN),
    _picture("window: contrast −25 %", partial(_with_contrast, factor=0.75), _SHOWN),
    _picture("window: contrast +25 %", partial(_with_contrast, factor=1.25), _SHOWN),
    _picture("window: gamma 0.8", partial(_with_gamma, gamma=0.8), _SHOWN),
    _picture("window: gamma 1.25", partial(_with_gamma, gamma=1.25), _SHOWN),
)
# For a network that runs in integers, to be compared with itself
IN_FLOATS = Change("network in 32-bit floats", _encoded, _STORED)
