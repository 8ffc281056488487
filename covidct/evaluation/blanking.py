"""The network's input with the lungs taken away, or everything but the lungs."""

from dataclasses import replace

import cv2
import numpy as np

from covidct.imaging.preprocess import Chest

_RIM_SHARE = 0.02


def lungs_on_network_grid(chest: Chest) -> np.ndarray:
    """The slice's own lung mask on the grid of ``chest.pixels``, bool (h, w)."""
    inside = chest.crop.of(chest.lungs).astype(np.uint8)
    size = chest.pixels.shape[::-1]
    return cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST).astype(bool)


def has_lungs(chest: Chest) -> bool:
    """Whether lungs were found, and something beside them."""
    return 0 < lungs_on_network_grid(chest).mean() < 1


def without_lungs(chest: Chest) -> Chest:
    """The lungs and a narrow rim around them in the median grey of what surrounds them.

    Their outline can still be seen, and so can dense opacities that the lung mask leaves out.
    """
    lungs = lungs_on_network_grid(chest)
    side = 2 * max(1, round(_RIM_SHARE * min(lungs.shape))) + 1
    rim = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return _blanked(chest, cv2.dilate(lungs.astype(np.uint8), rim).astype(bool))


def only_lungs(chest: Chest) -> Chest:
    """Everything but the lungs in the median grey of what surrounds them."""
    return _blanked(chest, ~lungs_on_network_grid(chest))


def _blanked(chest: Chest, where: np.ndarray) -> Chest:
    pixels = chest.pixels.copy()
    pixels[where] = np.median(chest.pixels[~lungs_on_network_grid(chest)])
    return replace(chest, pixels=pixels)
