"""What the class can be told from without anatomy: a few numbers about each picture, and a forest.

A feature set is a vector of floats; trees need neither scaling nor comparable units.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from covidct.data.file_attributes import FileAttributes, as_numbers
from covidct.data.forest import forest_auc
from covidct.data.index import Item
from covidct.imaging.anatomy.lungs import bounding_box
from covidct.messages import N_
from covidct.stats.bootstrap import Measured

FILE, NETWORK = "file", N_("network pixels")
BORDER, SHAPE, SIZE = N_("border"), N_("shape"), N_("size")
BORDER_SHAPE_SIZE = N_("border, shape and size")

_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_BLOCK = 8  # pixels a side of what JPEG compresses at a time


def picture_features(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """What any picture has, uint8 (H, W), by the name of the feature set."""
    return {
        BORDER: _border(pixels),
        N_("intensity"): _intensity(pixels),
        N_("sharpness and compression"): _sharpness(pixels),
    }


def network_features(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The same for the network's uint8 (h, w, 4) input, with the shape and size of what it shows.

    All inputs are of one size, so shape and size are those of the thorax, the first cover, which is
    all of the picture that is not even ground.
    """
    grey, seen = pixels[..., 0], pixels[..., 1] > 0
    box = bounding_box(seen)
    shape = np.array([box.width / max(box.height, 1), seen.sum() / max(box.height * box.width, 1)])
    size = np.array([seen.mean(), box.height, box.width])
    features = picture_features(grey)
    return {
        BORDER: features.pop(BORDER),
        SHAPE: shape,
        SIZE: size,
        BORDER_SHAPE_SIZE: np.concatenate([_border(grey), shape, size]),
        **features,
    }


def forests(
    items: Sequence[Item],
    attributes: Sequence[FileAttributes],
    pictures: Sequence[dict[str, np.ndarray]],
    inputs: Sequence[dict[str, np.ndarray]],
) -> dict[tuple[str, str], Measured | None]:
    """How well a random forest tells the class from each feature set, patients kept apart.

    Args:
        items: whose labels and patients count; the others are in their order.
        attributes: of the files.
        pictures: :func:`picture_features` of the slices.
        inputs: :func:`network_features` of what the network saw of them.

    Returns:
        AUC by (feature set, what it was taken from); None where there are too few patients.
    """
    numbers = as_numbers(attributes)
    on_file = {
        N_("file format"): numbers[:, :2],
        SIZE: numbers[:, 2:5],
        SHAPE: numbers[:, 5:],
        N_("format, size and shape"): numbers,
        **_stacked(pictures),
    }
    return {
        (name, on): forest_auc(items, values)
        for on, sets in ((FILE, on_file), (NETWORK, _stacked(inputs)))
        for name, values in sets.items()
    }


def _stacked(features: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([one[name] for one in features]) for name in features[0]}


def _border(pixels: np.ndarray) -> np.ndarray:
    """Mean, deviation, least and greatest grey of the outermost row or column on each side."""
    sides = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return np.array([f(side) for side in sides for f in (np.mean, np.std, np.min, np.max)], float)


def _intensity(pixels: np.ndarray) -> np.ndarray:
    """Percentiles, mean and deviation of all pixels."""
    return np.array([*np.percentile(pixels, _PERCENTILES), pixels.mean(), pixels.std()])


def _sharpness(pixels: np.ndarray) -> np.ndarray:
    """Variance of the Laplacian, share of fine detail in all variance, and 8 × 8 blockiness.

    Sources: Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548 (variance of the Laplacian);
    Wang, Sheikh and Bovik 2002, doi:10.1109/ICIP.2002.1038064 (steps between blocks).
    """
    grey = pixels.astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1)
    return np.array(
        [
            cv2.Laplacian(grey, cv2.CV_32F).var(),
            fine.var() / max(grey.var(), 1e-6),
            _blockiness(grey),
            _blockiness(grey.T),
        ]
    )


def _blockiness(grey: np.ndarray) -> float:
    """Steps between columns where JPEG's blocks meet, beside the steps between all columns."""
    steps = np.abs(np.diff(grey, axis=1)).mean(axis=0)
    return float(steps[_BLOCK - 1 :: _BLOCK].mean() / max(steps.mean(), 1e-6))
