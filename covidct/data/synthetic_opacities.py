"""Opacities laid into slices at random, as training material of which every place is known.

Few patients with drawn lesions are at hand, and hardly any with most of both lungs affected. Here
the density of lung rises towards that of soft tissue, in patches, along the pleura, from the back,
over most of it or evenly over all of it, so faintly that vessels stay visible or until they do not.
"""

import cv2
import numpy as np
from scipy.special import expit

_FEWEST_PIXELS = 200
_LEAST_CONTRAST = 20
_AIR_PERCENTILE = 20
_RIM = 9  # pixels around the lungs by which soft tissue is judged
_NOWHERE = -9.0
_DENSITIES = 0.1, 0.95  # of the way from lung to soft tissue
_EVENLY, _LEAST_EVEN_DENSITY = 0.15, 0.18  # less, evenly over all of the lungs, is expiration


def add_opacities(
    grey: np.ndarray, lungs: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A slice with opacities, and where they are.

    Args:
        grey: uint8 (h, w).
        lungs: uint8 (h, w), 0 or 1.
        rng: the source of chance.

    Returns:
        uint8 (h, w) each, the second 0 or 1; where there is too little lung nothing is added.
    """
    inside, around = lungs > 0, cv2.dilate(lungs, np.ones((_RIM, _RIM), np.uint8)) > 0
    wall = grey[around & ~inside]
    if inside.sum() < _FEWEST_PIXELS or not wall.size:
        return grey, np.zeros_like(lungs)
    tissue = float(np.median(wall))
    if tissue - np.percentile(grey[inside], _AIR_PERCENTILE) < _LEAST_CONTRAST:
        return grey, np.zeros_like(lungs)
    density = np.exp(rng.uniform(*np.log(_DENSITIES)))
    if rng.random() < _EVENLY:
        cover, density = np.ones(grey.shape, np.float32), max(density, _LEAST_EVEN_DENSITY)
    else:
        cover = expit(np.clip(_field(lungs, rng) * rng.uniform(1.5, 5), -20, 20))
    texture = 1 + 0.15 * clouds(rng, 4, grey.shape)
    soft_lungs = cv2.GaussianBlur(lungs.astype(np.float32), (0, 0), 1)
    added = density * cover * texture * soft_lungs * np.maximum(tissue - grey.astype(float), 0)
    changed = np.clip(grey + added, 0, 255).astype(np.uint8)
    return changed, ((cover > 0.5) & inside).astype(np.uint8)


def _field(lungs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Above zero where an opacity is to be, float32 (h, w)."""
    rows, columns = np.nonzero(lungs)
    noise = 0.9 * clouds(rng, rng.uniform(12, 50), lungs.shape) + 0.5 * clouds(rng, 8, lungs.shape)
    kind = rng.random()
    if kind < 0.45:
        field = _patches(rows, columns, lungs.shape, rng) + 0.5 * noise
    elif kind < 0.6:
        depth = cv2.distanceTransform(lungs, cv2.DIST_L2, 3)
        field = noise + 2 - rng.uniform(0.08, 0.3) * depth
    elif kind < 0.8:
        height = (np.arange(len(lungs)) - rows.min()) / max(1, np.ptp(rows))
        field = 0.6 * noise + rng.uniform(3, 8) * (height[:, None] - rng.uniform(0.2, 0.7))
    else:
        field = noise + rng.uniform(0, 2.5)
    if rng.random() < 0.3:
        is_left = np.arange(lungs.shape[1]) < (columns.min() + columns.max()) / 2
        field = np.where(is_left == (rng.random() < 0.5), field, _NOWHERE)
    return field


def _patches(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    y, x = np.indices(shape, np.float32)
    field = np.full(shape, _NOWHERE, np.float32)
    for _ in range(rng.integers(1, 6)):
        middle, radius = rng.integers(len(rows)), rng.uniform(4, 30)
        stretch = rng.uniform(0.6, 1.6)
        away = np.hypot((y - rows[middle]) * stretch, (x - columns[middle]) / stretch)
        field = np.maximum(field, 2 * (1 - away / radius))
    return field


def clouds(rng: np.random.Generator, grain: float, shape: tuple[int, int]) -> np.ndarray:
    """Smooth noise of grains of so many pixels, float32 of that shape."""
    cells = max(2, int(max(shape) / grain) + 2)
    noise = rng.standard_normal((cells, cells)).astype(np.float32)
    return cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
