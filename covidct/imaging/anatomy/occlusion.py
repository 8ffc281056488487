"""Network pixels with the lungs taken away, or everything but the lungs."""

import numpy as np

from covidct.imaging.anatomy.thorax_crop import GROUND


def without_lungs(pixels: np.ndarray) -> np.ndarray:
    """Even ground where the lungs and a narrow rim around them were; the covers stay.

    Their outline can still be seen, and so can dense opacities that the lung mask leaves out.

    Args:
        pixels: uint8 (h, w, 3), as :attr:`covidct.imaging.anatomy.thorax_crop.Chest.pixels`.
    """
    return _blanked(pixels, pixels[..., 2] > 0)


def only_lungs(pixels: np.ndarray) -> np.ndarray:
    """Even ground everywhere but in the lungs and a narrow rim around them; the covers stay."""
    return _blanked(pixels, pixels[..., 2] == 0)


def _blanked(pixels: np.ndarray, where: np.ndarray) -> np.ndarray:
    blanked = pixels.copy()
    blanked[where, 0] = GROUND
    return blanked
