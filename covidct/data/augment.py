"""Random changes of training slices that must not change their class.

All geometry is one affine map, so that a slice is interpolated once. The same seed, epoch and
position give the same picture, whatever else runs.
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far each property may vary; 0 or False switches a change off.

    Attributes:
        rotation_degrees: largest rotation to either side.
        shift_horizontal: largest shift as a share of the width.
        shift_vertical: largest shift as a share of the height.
        zoom: largest relative change of scale.
        flip: mirror left and right in half of the cases.
        contrast: largest relative change of contrast around mid-grey.
        brightness: largest change of brightness as a share of the full range.
        gamma: largest relative change of the gamma exponent.
        resolution: in half of the cases the slice is reduced to as little as 1 - resolution of
            its size and enlarged again, as small published figures are.
        noise: largest standard deviation of added noise as a share of the full range.
        compression: in half of the cases the slice is stored as JPEG, of quality 100 down to
            100 · (1 - compression), and read again, as many published figures were.
    """

    rotation_degrees: float = 15.0
    shift_horizontal: float = 0.08
    shift_vertical: float = 0.08
    zoom: float = 0.15
    flip: bool = True
    contrast: float = 0.2
    brightness: float = 0.1
    gamma: float = 0.2
    resolution: float = 0.5
    noise: float = 0.03
    compression: float = 0.6


def augment(pixels: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """A randomly changed copy.

    Args:
        pixels: uint8 (S, S).
        how: the bounds.
        rng: the source of chance.

    Returns:
        uint8 (S, S), black where the slice moved away.
    """
    height, width = pixels.shape
    matrix = cv2.getRotationMatrix2D(
        ((width - 1) / 2, (height - 1) / 2),
        rng.uniform(-how.rotation_degrees, how.rotation_degrees),
        1 + rng.uniform(-how.zoom, how.zoom),
    )
    matrix[0, 2] += width * rng.uniform(-how.shift_horizontal, how.shift_horizontal)
    matrix[1, 2] += height * rng.uniform(-how.shift_vertical, how.shift_vertical)
    if how.flip and rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    moved = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR)
    varied = _vary_intensities(_vary_resolution(moved, how, rng), how, rng)
    return _vary_compression(varied, how, rng)


def _vary_resolution(pixels: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    scale = 1 - rng.uniform(0, how.resolution)
    if rng.random() < 0.5:
        return pixels
    reduced = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, pixels.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _vary_intensities(
    pixels: np.ndarray, how: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    grey = np.arange(256, dtype=np.float32) / 255
    grey = grey ** (1 + rng.uniform(-how.gamma, how.gamma))
    grey = (grey - 0.5) * (1 + rng.uniform(-how.contrast, how.contrast)) + 0.5
    grey += rng.uniform(-how.brightness, how.brightness)
    varied = grey[pixels] * 255
    sigma = 255 * rng.uniform(0, how.noise)
    if sigma:
        varied += sigma * rng.standard_normal(pixels.shape, np.float32)
    return np.rint(np.clip(varied, 0, 255)).astype(np.uint8)


def _vary_compression(
    pixels: np.ndarray, how: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    quality = 100 * (1 - rng.uniform(0, how.compression))
    if how.compression == 0 or rng.random() < 0.5:
        return pixels
    _, stored = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, round(quality)))
    return cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE)
