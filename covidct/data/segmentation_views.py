"""Random views of slices with masks: other scanners, windows, crops, files and figures.

Only what a published or uploaded slice may really look like is varied, but all of it widely, so
that a network that learnt from few sources finds lungs and opacities on others.
"""

import cv2
import numpy as np
from scipy.special import expit

from covidct.data.masks import MaskedSlice
from covidct.data.reencode import as_jpeg
from covidct.data.synthetic_opacities import add_opacities, clouds
from covidct.imaging.anatomy.segmentation import SIDE

_WITHOUT_LUNGS = 0.08  # of the views; above and below the lungs there are few slices with masks
_FAT, _GAS = 0.8, 0.15  # grey of fat and of gas in the bowel, of soft tissue's
_BODY = 60  # grey level above which a place is body rather than air, for close-ups


def random_view(
    masked: MaskedSlice, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A slice as it might have come from elsewhere, with its masks moved along.

    Returns:
        Grey levels uint8 (256, 256) and the covers of lungs and opacities, uint8 (256, 256), 0 to
        255.
    """
    grey, lungs, opacities = masked.grey, masked.lungs, masked.opacities
    if rng.random() < _WITHOUT_LUNGS:
        grey = _without_lungs(grey, lungs, rng)
        lungs = opacities = np.zeros_like(lungs)
    elif rng.random() < (0.25 if opacities.any() else 0.6):
        grey, added = add_opacities(grey, lungs, rng)
        opacities = np.maximum(opacities, added)
    matrix = _placement(grey, lungs, rng)
    ground = int(rng.choice((0, 0, int(np.median(grey[:4])))))
    moved = [
        cv2.warpAffine(layer, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderValue=border)
        for layer, border in ((grey, ground), (lungs * 255, 0), (opacities * 255, 0))
    ]
    if rng.random() < 0.4:
        _cut_edges(moved, rng)
    grey, lungs, opacities = moved
    return _as_file(_marked(_as_scanned(grey, rng), rng), rng), lungs, opacities


def _without_lungs(grey: np.ndarray, lungs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The body with tissue, fat and some bowel where the lungs were."""
    inside = cv2.dilate(lungs, np.ones((7, 7), np.uint8)) > 0
    if not lungs.any() or inside.all():
        return grey
    tissue = float(np.percentile(grey[~inside], 80))
    filled = tissue * (1 - (1 - _FAT) * expit(3 * clouds(rng, rng.uniform(15, 60), grey.shape)))
    gas = 2 * clouds(rng, rng.uniform(10, 30), grey.shape) - rng.uniform(2.5, 6)
    filled -= tissue * (1 - _GAS) * expit(4 * gas)
    filled += rng.uniform(0, 6) * rng.standard_normal(grey.shape)
    cover = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.5)
    return np.clip(grey + cover * (filled - grey), 0, 255).astype(np.uint8)


def _placement(grey: np.ndarray, lungs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turned, scaled, stretched, shifted, mirrored; one view in ten is a close-up of the body."""
    middle, scale = np.full(2, SIDE / 2), np.exp(rng.uniform(-0.3, 0.5))
    of_lungs = np.argwhere(lungs)[:, ::-1]
    if len(of_lungs) and rng.random() < 0.5:
        middle = of_lungs.mean(axis=0)
    body = np.argwhere(grey > _BODY)[:, ::-1]
    if len(body) and rng.random() < 0.1:
        middle, scale = body[rng.integers(len(body))].astype(float), scale * rng.uniform(1.3, 2.5)
    matrix = cv2.getRotationMatrix2D((0, 0), rng.uniform(-20, 20), scale)
    matrix[:, 0] *= np.exp(rng.uniform(-0.15, 0.15))
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    if rng.random() < 0.1:
        matrix[:, 1] *= -1
    matrix[:, 2] = SIDE / 2 + rng.uniform(-22, 22, 2) - matrix[:, :2] @ middle
    return matrix


def _cut_edges(layers: list[np.ndarray], rng: np.random.Generator) -> None:
    """Black out what a tight crop would not show."""
    top, bottom, left, right = (max(0, int(width)) for width in rng.uniform(-30, 40, 4))
    for layer in layers:
        layer[:top] = layer[SIDE - bottom :] = 0
        layer[:, :left] = layer[:, SIDE - right :] = 0


def _as_scanned(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another tone curve and window, another resolution and sharpness, noise."""
    x = (grey / np.float32(255)) ** np.exp(rng.uniform(-0.15, 0.15))
    x = (x - 0.5) * np.exp(rng.uniform(-0.5, 0.4)) + 0.5 + rng.uniform(-0.15, 0.15)
    if rng.random() < 0.3:
        low, high = rng.uniform(-0.1, 0.15), rng.uniform(0.75, 1.1)
        x = (x - low) / (high - low)
    x = np.clip(x, 0, 1).astype(np.float32)
    if rng.random() < 0.4:
        side = int(SIDE * rng.uniform(0.35, 1))
        x = cv2.resize(cv2.resize(x, (side, side), interpolation=cv2.INTER_AREA), (SIDE, SIDE))
    if rng.random() < 0.4:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 1.3))
    if rng.random() < 0.2:
        x += np.float32(rng.uniform(0.5, 2)) * (x - cv2.GaussianBlur(x, (0, 0), 1.5))
    x += np.float32(rng.uniform(0, 0.06)) * rng.standard_normal(x.shape, np.float32)
    return np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)


def _marked(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Arrows and letters, as figures carry them."""
    if rng.random() < 0.8:
        return grey
    for _ in range(rng.integers(1, 4)):
        at, colour = rng.integers(0, SIDE, 2), int(rng.choice((0, 255)))
        thickness = int(rng.integers(1, 3))
        if rng.random() < 0.5:
            tip = (at + rng.integers(-30, 30, 2)).tolist()
            cv2.arrowedLine(grey, at.tolist(), tip, colour, thickness, tipLength=0.4)
        else:
            letter, size = chr(rng.integers(ord("A"), ord("Z") + 1)), rng.uniform(0.3, 0.9)
            font = cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(grey, letter, at.tolist(), font, size, colour, thickness)
    return grey


def _as_file(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.6:
        return grey
    stored = np.frombuffer(as_jpeg(grey, int(rng.integers(30, 95))), np.uint8)
    read = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE)
    assert read is not None  # it was encoded just now
    return read
