"""Label flips when a slice is stored, sized or shown in another way."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from covidct.data.reencode import as_greys, as_jpeg, resized, with_contrast
from covidct.errors import UnreadableSlice
from covidct.evaluation.metrics import judged, share_among_patients
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.formats.png import encode_png
from covidct.imaging.readers import read_slice
from covidct.inference.calibration import POSITIVE, UNCERTAIN, Calibration
from covidct.inference.classifier import Classifier
from covidct.messages import N_

_STORED, _SHOWN = 0.03, 0.05
_SHIFT = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody may do to a slice before it is uploaded.

    Attributes:
        name: as shown.
        to_file: the changed file's bytes from the pixels of the slice, uint8 (H, W).
        target: the greatest share of labels that may flip.
    """

    name: str
    to_file: Callable[[np.ndarray], bytes]
    target: float


def probabilities_after(
    classifier: Classifier, ct_slices: Sequence[CTSlice], change: Change
) -> list[float | None]:
    """What the model says of each slice when it is changed; None where the changed file is refused.

    The changed file is read and preprocessed anew, as if it had been uploaded so.

    Args:
        classifier: the model.
        ct_slices: the slices as they are.
        change: what is done to them.

    Returns:
        Calibrated probabilities of COVID-19.
    """
    changed = [_read(change.to_file(ct_slice.pixels)) for ct_slice in ct_slices]
    looks = iter(classifier.predict_many([one for one in changed if one is not None]))
    return [None if one is None else next(looks).prediction.probability for one in changed]


def label_flips(
    change: Change,
    calibration: Calibration,
    before: Sequence[float] | np.ndarray,
    after: Sequence[float | None],
    patients: np.ndarray,
) -> dict[str, Any]:
    """How many labels a change flips, beside how many it may.

    Args:
        change: what was done to the slices.
        calibration: what makes verdicts of probabilities.
        before: probability of each slice.
        after: that of the changed one, None where the changed file was refused.
        patients: str (N,).

    Returns:
        change; "flipped", labels that changed, of "n" slices; of these "to_positive" to "Positive",
        and "both_decided" without an "Uncertain" before or after; "excluded", refused files;
        "share" with its 95 % interval, None without any slice; its "target" and whether it is met.
    """
    compared = [i for i, probability in enumerate(after) if probability is not None]
    pairs = [(first, last) for first, last in zip(before, after, strict=True) if last is not None]
    changed = [calibration.label(first) != calibration.label(last) for first, last in pairs]
    flipped = list(itertools.compress(pairs, changed))
    share = share_among_patients(np.array(changed), patients[compared]) if compared else None
    return {
        "change": change.name,
        "flipped": len(flipped),
        "to_positive": sum(calibration.label(last) == POSITIVE for _, last in flipped),
        "both_decided": sum(UNCERTAIN not in map(calibration.decision, pair) for pair in flipped),
        "n": len(compared),
        "excluded": len(after) - len(compared),
        **judged("share", share, change.target),
    }


def _read(data: bytes) -> CTSlice | None:
    try:
        return read_slice(data)
    except UnreadableSlice:
        return None


def _jpeg(quality: int) -> Change:
    return Change(f"JPEG {quality}", partial(as_jpeg, quality=quality), _STORED)


def _picture(name: str, alter: Callable[[np.ndarray], np.ndarray], target: float) -> Change:
    """A change of the pixels, stored without loss."""
    return Change(name, partial(_stored, alter=alter), target)


def _stored(pixels: np.ndarray, alter: Callable[[np.ndarray], np.ndarray]) -> bytes:
    return encode_png(alter(pixels))


def _shifted(pixels: np.ndarray) -> np.ndarray:
    down, right = (round(length * _SHIFT) for length in pixels.shape)
    rows, columns = pixels.shape
    moved = pixels[: rows - down, : columns - right]
    return cv2.copyMakeBorder(moved, down, 0, right, 0, cv2.BORDER_REPLICATE)


def _with_gamma(pixels: np.ndarray, gamma: float) -> np.ndarray:
    return as_greys(255 * (pixels / 255) ** gamma)


_JPEG_50 = _jpeg(50)
_HALF_SIZE = _picture(N_("resize 0.5×"), partial(resized, factor=0.5), _STORED)
_MORE_CONTRAST = _picture(N_("window: contrast +25 %"), partial(with_contrast, factor=1.25), _SHOWN)
_SHIFTED = _picture(N_("shift 5 % right and down"), _shifted, _SHOWN)
_GAMMA = _picture(N_("window: gamma 0.8"), partial(_with_gamma, gamma=0.8), _SHOWN)
CHANGES = (
    _JPEG_50,
    _jpeg(75),
    _jpeg(95),
    Change("PNG", encode_png, _STORED),
    _HALF_SIZE,
    _picture(N_("resize 2×"), partial(resized, factor=2), _STORED),
    _picture(N_("mirror"), np.fliplr, _SHOWN),
    _SHIFTED,
    _picture(N_("window: contrast −25 %"), partial(with_contrast, factor=0.75), _SHOWN),
    _MORE_CONTRAST,
    _GAMMA,
    _picture(N_("window: gamma 1.25"), partial(_with_gamma, gamma=1.25), _SHOWN),
)
# Three like those that a head is solved on, and two others
TRIED_OUT_OF_FOLD = (_JPEG_50, _HALF_SIZE, _MORE_CONTRAST, _SHIFTED, _GAMMA)
# For a network that runs in integers, to be compared with itself
IN_FLOATS = Change(N_("network in 32-bit floats"), encode_png, _STORED)
