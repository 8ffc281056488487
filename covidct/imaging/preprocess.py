"""CTSlice -> network pixels: the same code for training, evaluation and the app."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.lungs import Box, chest_box, lung_mask

_DARK_PERCENTILE, _BRIGHT_PERCENTILE = 1, 99


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """The part of a slice that the network sees, and where it lies on the slice.

    Attributes:
        pixels: uint8 (S, S), the chest stretched over all of the network's input.
        crop: the chest on the slice's pixel grid.
        lungs: bool (H, W), the lung mask on the slice's pixel grid.
    """

    pixels: np.ndarray
    crop: Box
    lungs: np.ndarray

    def to_slice_grid(self, values: np.ndarray) -> np.ndarray:
        """Carry a map from the network's grid back to the slice's own.

        Args:
            values: float32 (h, w), of any resolution, covering all of ``pixels``.

        Returns:
            float32 (H, W), bilinear inside the crop and zero outside it.
        """
        on_slice = np.zeros(self.lungs.shape, np.float32)
        self.crop.of(on_slice)[:] = cv2.resize(
            values, (self.crop.width, self.crop.height), interpolation=cv2.INTER_LINEAR
        )
        return on_slice


def find_chest(ct_slice: CTSlice, image_size: tuple[int, int]) -> Chest:
    """Crop to the chest, stretch its grey levels, resize it to the network's grid.

    The 1st and 99th percentile of the crop become black and white, so that window settings and
    the brightness of a figure matter little; margins, letters outside the chest and the shape of
    the file do not reach the network.

    Args:
        ct_slice: the slice.
        image_size: rows and columns of the network's input.
    """
    lungs = lung_mask(ct_slice.pixels)
    crop = chest_box(ct_slice.pixels, lungs)
    shrinks = crop.height > image_size[0]
    resized = cv2.resize(
        crop.of(ct_slice.pixels),
        image_size[::-1],
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return Chest(_stretch(resized), crop, lungs)


def network_pixels(grey: np.ndarray, preprocess_input: Callable) -> np.ndarray:
    """Three equal channels, normalised as the network's pretrained weights expect.

    Args:
        grey: (N, S, S), 0 to 255; a NumPy array or a tensor.
        preprocess_input: the backbone's own normalisation of (N, S, S, 3).

    Returns:
        float32 (N, S, S, 3), of the same kind as ``grey``.
    """
    channels = grey[..., None] * np.ones(3, np.float32)
    return preprocess_input(channels)


def _stretch(pixels: np.ndarray) -> np.ndarray:
    dark, bright = np.percentile(pixels, (_DARK_PERCENTILE, _BRIGHT_PERCENTILE))
    if bright <= dark:
        return pixels
    return np.clip((pixels - dark) * (255 / (bright - dark)), 0, 255).astype(np.uint8)
