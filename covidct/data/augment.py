"""Random changes of training slices that must not change their class.

All geometry is one affine map, so that a slice is interpolated once. The same seed, epoch and
position give the same picture, whatever else runs.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from covidct.data.reencode import as_greys, as_jpeg
from covidct.imaging.anatomy.thorax_crop import GROUND


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
        blur: in half of the cases the slice is blurred, by a standard deviation of up to that share
            of its width.
        marks: draw an arrow and a letter in a quarter of the cases.
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
    blur: float = 0.004
    marks: bool = True
    compression: float = 0.6


def augment(pixels: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """A randomly changed copy.

    Args:
        pixels: uint8 (h, w, 4), as :attr:`covidct.imaging.anatomy.thorax_crop.ThoraxCrop.pixels`.
        how: the bounds.
        rng: the source of chance.

    Returns:
        uint8 (h, w, 4); the covers moved along with the picture, even ground around it.
    """
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(
        ((width - 1) / 2, (height - 1) / 2),
        rng.uniform(-how.rotation_degrees, how.rotation_degrees),
        1 + rng.uniform(-how.zoom, how.zoom),
    )
    matrix[0, 2] += width * rng.uniform(-how.shift_horizontal, how.shift_horizontal)
    matrix[1, 2] += height * rng.uniform(-how.shift_vertical, how.shift_vertical)
    if how.flip and rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    varied = cv2.warpAffine(
        pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(GROUND, 0, 0, 0)
    )
    grey = _vary_resolution(np.ascontiguousarray(varied[..., 0]), how, rng)
    grey = _vary_intensities(_blur(grey, how, rng), how, rng)
    varied[..., 0] = _vary_compression(_mark(grey, how, rng), how, rng)
    varied[varied[..., 1] == 0, 0] = GROUND
    return varied


def _blur(pixels: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    sigma = pixels.shape[1] * rng.uniform(0, how.blur)
    if how.blur == 0 or rng.random() < 0.5:
        return pixels
    return cv2.GaussianBlur(pixels, (0, 0), max(sigma, 0.1))


def _mark(pixels: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """An arrow and a letter, black or white, as figures carry them."""
    if not how.marks or rng.random() < 0.75:
        return pixels
    marked, (height, width) = pixels.copy(), pixels.shape
    colour = int(rng.choice((0, 255)))
    tip = rng.integers(0, (width, height))
    tail = tip + rng.integers(-width // 8, width // 8 + 1, 2)
    thickness = max(1, width // 160)
    ends = tail.tolist(), tip.tolist()
    cv2.arrowedLine(marked, *ends, colour, thickness, cv2.LINE_AA, tipLength=0.4)
    at, letter = rng.integers(0, (width, height)), chr(rng.integers(ord("A"), ord("Z") + 1))
    font, size = cv2.FONT_HERSHEY_SIMPLEX, width / 400
    cv2.putText(marked, letter, at.tolist(), font, size, colour, thickness, cv2.LINE_AA)
    return marked


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
    return as_greys(varied)


def _vary_compression(
    pixels: np.ndarray, how: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    quality = 100 * (1 - rng.uniform(0, how.compression))
    if how.compression == 0 or rng.random() < 0.5:
        return pixels
    stored = np.frombuffer(as_jpeg(pixels, round(quality)), np.uint8)
    varied = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE)
    assert varied is not None  # it was encoded just now
    return varied
