"""Pictures with the lungs or their opacities taken away, or everything but the lungs."""

import cv2
import numpy as np

from covidct.imaging.anatomy.thorax_crop import GROUND

# Parts of the picture's width
_RIM = 0.02  # opacities blur their edge
_GRAIN = 0.003  # of the texture of lung tissue
_AROUND = 0.06  # from how far away grey levels are taken
_BELOW_VESSELS = 75  # percentile of aerated lung, of which vessels are the brightest part
_LEAST_AERATED = 50  # pixels to take them from
_LEAST_WEIGHT = 1e-3  # of lung near by; where there is less, the mean of all of it counts


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
    lungs = pixels[..., 2] > 127
    opaque = with_rim(pixels[..., 3] > 127, lungs)
    aerated = lungs & ~opaque
    if aerated.sum() < _LEAST_AERATED:
        return pixels
    painted = pixels.copy()
    painted[..., 3] = 0
    painted[..., 0] = painted_out(pixels[..., 0], opaque, aerated)
    return painted


def with_rim(opaque: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """Opacities with a narrow rim around them, as far as the lungs reach, bool (h, w)."""
    side = 2 * round(_RIM * opaque.shape[1] / 2) + 1
    return (cv2.dilate(opaque.view(np.uint8), np.ones((side, side), np.uint8)) > 0) & lungs


def painted_out(grey: np.ndarray, where: np.ndarray, aerated: np.ndarray) -> np.ndarray:
    """Lung tissue between vessels in place of what is shown, with grey levels from around it.

    Args:
        grey: uint8 (h, w).
        where: bool (h, w), what is painted over.
        aerated: bool (h, w), lung to take from; not empty.
    """
    width = grey.shape[1]
    tissue = aerated & (grey <= np.percentile(grey[aerated], _BELOW_VESSELS))
    around = _blurred(grey * tissue.astype(np.float32), _AROUND * width)
    weight = _blurred(tissue.astype(np.float32), _AROUND * width)
    mean = float(grey[tissue].mean())
    level = (around + _LEAST_WEIGHT * mean) / (weight + _LEAST_WEIGHT)
    rest = (grey - level)[tissue]
    drawn = np.random.default_rng(0).choice(rest, grey.shape)
    texture = _blurred(drawn.astype(np.float32), _GRAIN * width)
    texture *= rest.std() / max(float(texture.std()), 1e-6)
    painted = grey.copy()
    painted[where] = np.rint(np.clip(level + texture, 0, 255))[where]
    return painted


def as_much_elsewhere(where: np.ndarray, lungs: np.ndarray) -> np.ndarray | None:
    """As many places of the rest of the lungs, those nearest to the mirror image.

    Args:
        where: bool (h, w), in the lungs.
        lungs: bool (h, w).

    Returns:
        bool (h, w); None where too little lung would be left.
    """
    rest = lungs & ~where
    if not where.any() or rest.sum() < where.sum() + _LEAST_AERATED:
        return None
    columns = np.flatnonzero(lungs.any(axis=0))
    mirrored = np.zeros_like(where)
    box = slice(columns[0], columns[-1] + 1)
    mirrored[:, box] = where[:, box][:, ::-1]
    away = cv2.distanceTransform((~mirrored).view(np.uint8), cv2.DIST_L2, 5)
    places = np.flatnonzero(rest)
    nearest = places[np.argsort(away.ravel()[places], kind="stable")[: where.sum()]]
    chosen = np.zeros_like(where)
    chosen.ravel()[nearest] = True
    return chosen


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(values, (0, 0), max(sigma, 0.5), borderType=cv2.BORDER_CONSTANT)


def _occluded(pixels: np.ndarray, where: np.ndarray) -> np.ndarray:
    occluded = pixels.copy()
    occluded[where, 0] = GROUND
    return occluded
