"""Network pixels with the lungs occluded, or everything but the lungs."""

import numpy as np

from covidct.imaging.anatomy.thorax_crop import GROUND


def without_lungs(pixels: np.ndarray) -> np.ndarray:
    """Even ground where the lungs and a narrow rim around them were; the covers stay.

    Their outline can still be seen, and so can dense opacities that the lung mask leaves out.

    Args:
        pixels: uint8 (h, w, 3), as :attr:`covidct.imaging.anatomy.thorax_crop.ThoraxCrop.pixels`.
    """
    return _occluded(pixels, pixels[..., 2] > 0)


def only_lungs(pixels: np.ndarray) -> np.ndarray:
    """Even ground everywhere but in the lungs and a narrow rim around them; the covers stay."""
    return _occluded(pixels, pixels[..., 2] == 0)


def _occluded(pixels: np.ndarray, where: np.ndarray) -> np.ndarray:
    occluded = pixels.copy()
    occluded[where, 0] = GROUND
    return occluded
