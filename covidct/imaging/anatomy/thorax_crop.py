"""CTSlice -> network pixels: the same code for training, evaluation and the app.

What reaches the network is anatomy alone: the thorax cut out along the lungs' convex hull and laid
on an even ground, its aspect kept, its grey levels tied to lung and soft tissue. Page, margins,
letters, table, arms and the file's own shape and size stay outside.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from covidct.imaging.anatomy.lungs import Box, chest_box, elliptic, thorax_cover
from covidct.imaging.anatomy.saturation import lungs_are_black
from covidct.imaging.ct_slice import CTSlice

LUNG_LEVEL, TISSUE_LEVEL = 21, 217  # (HU + 1000) / 1200 of -900 HU and +40 HU, in 255ths
GROUND = TISSUE_LEVEL
_ROWS_A_COLUMN = 0.75
_AERATED_PERCENTILE = 10
_LEAST_CONTRAST = 25
_DARK_PERCENTILE, _BRIGHT_PERCENTILE = 1, 99
_FEWEST_PIXELS = 50
_GIVEN = [0, 1, 3]  # of a crop's layers
_LUNG_RIM = 0.015  # of the input's width; opacities at the pleura blur the mask's edge


@dataclass(frozen=True, slots=True, eq=False)
class ThoraxCrop:
    """The part of a slice that the network sees, and where it lies on the slice.

    Attributes:
        pixels: uint8 (h, w, 4) on the network's grid: grey levels and the covers, 0 to 255, of the
            thorax, the lungs (all of the thorax where none were found) and the opacities. The
            network is not given the lungs: by them :mod:`covidct.imaging.anatomy.occlusion` takes
            lungs away.
        placed: where the crop lies on the network's grid.
        crop: the chest on the slice's pixel grid.
        lungs: bool (H, W), the lung mask on the slice's pixel grid.
        opaque_share: the part of the lungs that is opaque, as :attr:`.Figure.opaque_share`.
        density: of the lungs as a whole, as :attr:`.CTSlice.lung_density`.
        lungs_are_black: whether a window for soft tissue has blackened the lungs.
    """

    pixels: np.ndarray
    placed: Box
    crop: Box
    lungs: np.ndarray
    opaque_share: float
    density: float | None
    lungs_are_black: bool

    @property
    def grey(self) -> np.ndarray:
        """The picture alone, uint8 (h, w)."""
        return self.pixels[..., 0]

    def to_slice_grid(self, values: np.ndarray) -> np.ndarray:
        """Carry a map from the network's grid back to the slice's own.

        Args:
            values: float32 (h', w'), of any resolution, covering all of ``pixels``.

        Returns:
            float32 (H, W), bilinear inside the crop and zero outside it.
        """
        on_slice = np.zeros(self.lungs.shape, np.float32)
        self.crop.of(on_slice)[:] = cv2.resize(
            self._on_crop(values),
            (self.crop.width, self.crop.height),
            interpolation=cv2.INTER_LINEAR,
        )
        return on_slice

    def from_slice_grid(self, values: np.ndarray) -> np.ndarray:
        """Carry a mask from the slice's own grid to the network's.

        Args:
            values: uint8 (H, W).

        Returns:
            float32 (h, w), the share of each place; zero outside the crop.
        """
        on_network = np.zeros(self.grey.shape, np.float32)
        self.placed.of(on_network)[:] = cv2.resize(
            self.crop.of(values).astype(np.float32),
            (self.placed.width, self.placed.height),
            interpolation=cv2.INTER_AREA,
        )
        return on_network

    def share_in_lungs(self, values: np.ndarray) -> float | None:
        """How much of a map lies in the lungs, 0 to 1; None for an empty map or without lungs.

        A rim of half a cell of the default map belongs to them: it tells places apart no better.

        Args:
            values: float32 (h', w'), as for :meth:`to_slice_grid`, not negative.
        """
        on_crop = self._on_crop(values)
        total = float(on_crop.sum())
        if not self.lungs.any() or total == 0:
            return None
        return float(on_crop[self.placed.of(self.pixels)[..., 2] > 127].sum()) / total

    def _on_crop(self, values: np.ndarray) -> np.ndarray:
        on_network = cv2.resize(values, self.grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(self.placed.of(on_network))


def chest_grid(columns: int) -> tuple[int, int]:
    """Rows and columns of an input that a chest in axial section fills well."""
    return round(_ROWS_A_COLUMN * columns), columns


def crop_thorax(ct_slice: CTSlice, image_size: tuple[int, int]) -> ThoraxCrop:
    """Cut the thorax out, standardise its grey levels, lay it on the network's grid.

    Args:
        ct_slice: the slice.
        image_size: rows and columns of the network's input.
    """
    lungs = ct_slice.lung_mask
    crop = chest_box(ct_slice.figure.box, lungs)
    scale = min(image_size[0] / crop.height, image_size[1] / crop.width)
    height, width = (max(1, round(side * scale)) for side in (crop.height, crop.width))
    top, left = (image_size[0] - height) // 2, (image_size[1] - width) // 2
    placed = Box(top, left, top + height, left + width)
    layers = [
        crop.of(ct_slice.pixels),
        thorax_cover(crop.of(lungs)),
        crop.of(lungs),
        crop.of(ct_slice.opacity_map),
    ]
    grey, thorax, aerated, opaque = cv2.split(
        cv2.resize(
            np.stack(layers, axis=-1, dtype=np.float32),
            (width, height),
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        )
    )
    grey = _standardised(grey, thorax > 0.5, aerated > 0.5)
    grounded = grey * thorax + GROUND * (1 - thorax)
    pixels = np.zeros((*image_size, 4), np.uint8)
    pixels[..., 0] = GROUND
    covers = [255 * thorax, 255 * aerated, 255 * opaque * thorax]
    placed.of(pixels)[:] = np.rint(np.stack([grounded, *covers], axis=-1))
    pixels[..., 2] = _rimmed(pixels[..., 2]) if lungs.any() else 255
    pixels[..., 2] *= pixels[..., 1] > 0
    figure, density = ct_slice.figure, ct_slice.lung_density
    black = lungs_are_black(figure)
    return ThoraxCrop(pixels, placed, crop, lungs, figure.opaque_share, density, black)


def network_pixels(pixels: np.ndarray, preprocess_input: Callable) -> np.ndarray:
    """What the network takes: the picture as its pretrained weights expect it, and two covers.

    Args:
        pixels: uint8 (N, h, w, 4), as :attr:`ThoraxCrop.pixels`.
        preprocess_input: the backbone's own normalisation of (N, h, w, 3).

    Returns:
        float32 (N, h, w, 3): the first channel that ``preprocess_input`` makes of the grey levels,
        and the covers of the thorax and of its opacities, from 0 to 1.
    """
    of_level = _of_levels(preprocess_input)
    given = np.empty((*pixels.shape[:-1], 3), np.float32)
    for one, shown in zip(given, pixels, strict=True):
        cv2.LUT(np.ascontiguousarray(shown[..., _GIVEN]), of_level, one)
    return given


def _of_levels(preprocess_input: Callable) -> np.ndarray:
    """What becomes of each level of picture and covers, float32 (1, 256, 3)."""
    levels = np.arange(256, dtype=np.float32)[None, :, None].repeat(3, axis=2)
    picture = preprocess_input(levels[None].copy())[0, ..., :1]
    return np.concatenate([picture, levels[..., 1:] / 255], axis=-1, dtype=np.float32)


def _standardised(grey: np.ndarray, thorax: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """Grey levels on a scale that starts from air-filled lung and soft tissue.

    The tenth percentile of the lungs and the median of what else the thorax holds are given fixed
    levels, so that the window that a figure was printed with matters little; where the two cannot
    be told apart, the 1st and 99th percentile become black and white.
    """
    air, tissue = grey[lungs], grey[thorax & ~lungs]
    if min(air.size, tissue.size) >= _FEWEST_PIXELS:
        low, high = np.percentile(air, _AERATED_PERCENTILE), np.median(tissue)
        if high - low >= _LEAST_CONTRAST:
            slope = (TISSUE_LEVEL - LUNG_LEVEL) / (high - low)
            return np.clip(LUNG_LEVEL + (grey - low) * slope, 0, 255)
    low, high = np.percentile(grey[thorax], (_DARK_PERCENTILE, _BRIGHT_PERCENTILE))
    return np.clip((grey - low) * (255 / max(high - low, 1)), 0, 255)


def _rimmed(cover: np.ndarray) -> np.ndarray:
    side = 2 * max(1, round(_LUNG_RIM * cover.shape[1])) + 1
    return cv2.dilate(cover, elliptic(side))
