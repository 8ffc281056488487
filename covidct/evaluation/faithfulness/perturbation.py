"""Deletion and insertion: what the score does when the places of a heat map are taken or given.

Source: Petsiuk, Das and Saenko 2018, RISE, arXiv:1806.07421.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from covidct.imaging.anatomy.thorax_crop import GROUND, ThoraxCrop
from covidct.inference.classifier import Classifier, PredictionWithCAM

_STEPS = 6
_BLUR = 0.1  # of the picture's width


def deletion_and_insertion(
    classifier: Classifier, predicted: PredictionWithCAM, heat: np.ndarray
) -> dict[str, float]:
    """Areas under the probability of the explained class, 0 to 1, "deletion" and "insertion".

    Deletion covers the thorax with even ground, the places of the map first, in six steps: a
    good map has a small area. Insertion starts from a slice that is blurred beyond recognition and
    brings the places back: a good map has a large one. Places that the map puts on one level, such
    as all without evidence, come in an order drawn by chance, in patches of the size of the
    activation map's places.

    Args:
        classifier: the network.
        predicted: of the slice; its prediction is the class that is explained.
        heat: float (h', w') of any resolution on the network's grid, not negative.
    """
    crop = predicted.crop
    order = _order(heat, predicted)
    blurred = cv2.GaussianBlur(crop.grey, (0, 0), _BLUR * crop.grey.shape[1])
    shown = [
        *_series(crop.grey, np.full_like(crop.grey, GROUND), order),
        *_series(blurred, crop.grey, order),
    ]
    logits, _ = classifier.forward(classifier.network_input([_showing(crop, p) for p in shown]))
    probabilities = classifier.card.calibration.probability(logits)
    if not predicted.prediction.is_positive:
        probabilities = 1 - probabilities
    deletion, insertion = np.trapezoid(probabilities.reshape(2, -1), dx=1 / _STEPS)
    return {"deletion": float(deletion), "insertion": float(insertion)}


def _order(heat: np.ndarray, predicted: PredictionWithCAM) -> np.ndarray:
    """Positions in the flattened picture, those of the thorax alone, the hottest first."""
    pixels = predicted.crop.pixels
    chance = np.random.default_rng(0).random(predicted.cam.shape)
    levels, ties = (
        cv2.resize(one.astype(np.float32), pixels.shape[1::-1]).ravel() for one in (heat, chance)
    )
    thorax = np.flatnonzero(pixels[..., 1])
    return thorax[np.lexsort((ties[thorax], -levels[thorax]))]


def _series(start: np.ndarray, end: np.ndarray, order: np.ndarray) -> Sequence[np.ndarray]:
    """From one picture to another, in steps of equally many places."""
    pictures = []
    for count in np.linspace(0, order.size, _STEPS + 1).astype(int):
        picture = start.copy()
        picture.flat[order[:count]] = end.flat[order[:count]]
        pictures.append(picture)
    return pictures


def _showing(crop: ThoraxCrop, picture: np.ndarray) -> ThoraxCrop:
    return replace(crop, pixels=np.dstack([picture, crop.pixels[..., 1:]]))
