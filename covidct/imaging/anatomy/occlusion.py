"""Network pixels with the lungs or their opacities taken away, or everything but the lungs."""

import cv2
import numpy as np

from covidct.imaging.anatomy.thorax_crop import GROUND

_RIM = 5  # pixels; opacities blur their edge
_GRAIN = 1.2  # pixels, of the texture of aerated lung


def without_lungs(pixels: np.ndarray) -> np.ndarray:
    """Even ground where the lungs and a narrow rim around them were; the covers stay.

    Their outline can still be seen, and so can dense opacities that the lung mask leaves out.

    Args:
        pixels: uint8 (h, w, 4), as :attr:`covidct.imaging.anatomy.thorax_crop.ThoraxCrop.pixels`.
    """
    return _occluded(pixels, pixels[..., 2] > 0)


def only_lungs(pixels: np.ndarray) -> np.ndarray:
    """Even ground everywhere but in the lungs and a narrow rim around them; the covers stay."""
    return _occluded(pixels, pixels[..., 2] == 0)


def without_opacities(pixels: np.ndarray) -> np.ndarray:
    """Aerated lung where opacities and a narrow rim around them were, taken from beside them.

    Where all of the lungs is opaque there is none to take, and the picture stays as it is.
    """
    opaque = cv2.dilate((pixels[..., 3] > 127).view(np.uint8), np.ones((_RIM, _RIM), np.uint8)) > 0
    lungs = pixels[..., 2] > 127
    aerated = pixels[..., 0][lungs & ~opaque]
    if not aerated.size:
        return pixels
    painted = pixels.copy()
    painted[..., 3] = 0
    drawn = np.random.default_rng(0).choice(aerated, pixels.shape[:2]).astype(np.float32)
    smooth = cv2.GaussianBlur(drawn, (0, 0), _GRAIN)
    spread = aerated.std() / max(float(smooth.std()), 1.0)
    texture = np.clip(aerated.mean() + spread * (smooth - smooth.mean()), 0, 255)
    where = opaque & lungs
    painted[where, 0] = np.rint(texture[where])
    return painted


def _occluded(pixels: np.ndarray, where: np.ndarray) -> np.ndarray:
    occluded = pixels.copy()
    occluded[where, 0] = GROUND
    return occluded
