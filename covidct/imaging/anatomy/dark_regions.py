"""What is dark on a figure and enclosed by something brighter, by grey levels alone.

Two files of one picture agree on it more closely than on where lungs are
(:mod:`covidct.imaging.anatomy.segmentation`), so that near duplicates are compared by it.
"""

from itertools import product

import cv2
import numpy as np

from covidct.imaging.anatomy.lungs import bounding_box, elliptic

_LEAST_SHARE = 0.02
_LEAST_COMPONENT_SHARE = 0.004
_OUTSIDE_CONTACT_SHARE = 0.25
_CORNER = 12  # pixels of the working size; a frame may part the air outside from the very corner
_PAD = 24


def dark_regions(grey: np.ndarray) -> np.ndarray:
    """The dark regions of a figure, bool (h, w): both lungs, where it is a chest.

    In a mediastinal window Otsu's threshold parts bone from all else, and where there is much black
    around the body, all else from that. Where no lungs come of it, what lies above it is levelled,
    and then what lies below, so that the next threshold parts tissue from air.
    """
    lungs = _dark_in_body(grey)
    if not lungs.any():
        threshold = otsu(cv2.medianBlur(grey, 5))
        lungs = _dark_in_body(np.minimum(grey, threshold))
    if not lungs.any():
        lungs = _dark_in_body(np.maximum(grey, threshold))
    return lungs


def _dark_in_body(grey: np.ndarray) -> np.ndarray:
    """What is darker than Otsu's threshold (1979) of the body alone, and enclosed by it.

    The air around the body is taken out by a first threshold, as otherwise it would depend on how
    much of it a picture shows which opacities are still lung. Closing by an ellipse brings dense
    ones at the pleura back.
    """
    smooth = cv2.medianBlur(grey, 5)
    dark = _below(smooth, otsu(smooth))
    body = smooth[dark <= _enclosed_regions(dark)]
    lungs = _enclosed_regions(_below(smooth, otsu(body)))
    if lungs.mean() < _LEAST_SHARE:
        return np.zeros(grey.shape, bool)
    box = bounding_box(lungs)
    closed = cv2.morphologyEx(_pad(box.of(lungs)), cv2.MORPH_CLOSE, elliptic(21))
    box.of(lungs)[:] = _fill_holes(closed)[_PAD:-_PAD, _PAD:-_PAD]
    return lungs.view(bool)


def otsu(grey: np.ndarray) -> np.uint8:
    """Otsu's (1979) threshold of grey levels, uint8 of any shape."""
    return np.uint8(cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0])


def _below(grey: np.ndarray, threshold: np.uint8) -> np.ndarray:
    """Where it is darker, uint8 (h, w), without single pixels."""
    dark = (grey < threshold).astype(np.uint8)
    return cv2.morphologyEx(dark, cv2.MORPH_OPEN, elliptic(3), borderValue=0)


def _pad(mask: np.ndarray) -> np.ndarray:
    return cv2.copyMakeBorder(mask, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_CONSTANT, value=0)


def _enclosed_regions(dark: np.ndarray) -> np.ndarray:
    """Dark components that are large enough and are not the air around the patient."""
    count, labels = cv2.connectedComponents(dark, connectivity=4)

    def pixels_in(*places: np.ndarray) -> np.ndarray:
        """How many pixels each component has there, int (count,)."""
        return np.sum([np.bincount(place.ravel(), minlength=count) for place in places], axis=0)

    edges = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    ends = slice(_CORNER), slice(-_CORNER, None)
    area = pixels_in(labels)
    spans = np.all([pixels_in(edge) for edge in edges], axis=0)
    touches = pixels_in(*edges) > _OUTSIDE_CONTACT_SHARE * np.sqrt(area) * 4
    in_corner = pixels_in(*(labels[place] for place in product(ends, ends))) > 0
    keep = (area >= _LEAST_COMPONENT_SHARE * dark.size) & ~(spans | touches | in_corner)
    keep[0] = False
    return keep.view(np.uint8).take(labels)


def _fill_holes(mask: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(mask), contours, -1, 1, cv2.FILLED)
