"""Where the lungs are on a slice: a mask from grey levels alone, and the crop to the chest.

Published slices come with unknown windows, margins and letters, so nothing is assumed about
absolute intensities: lung is what is darker than the body wall that encloses it.
"""

from dataclasses import dataclass, replace
from itertools import product

import cv2
import numpy as np

_WORKING_SIDE = 256
_MIN_LUNG_SHARE = 0.02
_MIN_COMPONENT_SHARE = 0.004
_OUTSIDE_CONTACT_SHARE = 0.25
_CROP_MARGIN = 0.04
_LEAST_DEPTH = 0.6  # of the lungs' width
_THORAX_RIM = 0.02
_NARROWEST_CHEST = 0.35
_CORNER = 12  # pixels of the working size; a frame may part the air outside from the very corner
_PAGE_WHITE, _PAGE_SPREAD = 245, 10
_PAGE_SHARE = 0.97
_SMALLEST_FIGURE = 32
_PAD = 24


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the slice's pixel grid: rows and columns, ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    def of(self, image: np.ndarray) -> np.ndarray:
        """The part of an image (H, W, ...) inside the box, as a view."""
        return image[self.top : self.bottom, self.left : self.right]

    def grown(self, margin: int, within: "Box") -> "Box":
        """The box with a margin around it, as far as another one reaches."""
        return Box(
            max(within.top, self.top - margin),
            max(within.left, self.left - margin),
            min(within.bottom, self.bottom + margin),
            min(within.right, self.right + margin),
        )


def bounding_box(mask: np.ndarray) -> Box:
    """What of a mask, bool (H, W), is True; of no rows and columns where nothing is."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return Box(top, left, top + height, left + width)


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A slice without the white page around it, at the size at which lungs are sought.

    Attributes:
        box: where it lies on the slice.
        grey: uint8 (h, w), 256 pixels at the longer side.
        lungs: bool (h, w), both lungs on ``grey``, with vessels and opacities that lung surrounds
            filled in; all False where nothing looks like a lung.
    """

    box: Box
    grey: np.ndarray
    lungs: np.ndarray

    def lung_mask(self, shape: tuple[int, int]) -> np.ndarray:
        """The lungs on the pixel grid of the slice, bool of that shape (H, W)."""
        mask = np.zeros(shape, bool)
        size = self.box.width, self.box.height
        lungs = cv2.resize(self.lungs.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        self.box.of(mask)[:] = lungs
        return mask


def find_figure(pixels: np.ndarray) -> Figure:
    """The figure of a slice and the lungs on it, which are sought once for all who need them.

    Args:
        pixels: uint8 (H, W), air dark.
    """
    box = figure_box(pixels)
    figure = np.ascontiguousarray(box.of(pixels))
    scale = _WORKING_SIDE / max(figure.shape)
    size = tuple(max(8, round(length * scale)) for length in figure.shape[::-1])
    grey = cv2.resize(figure, size, interpolation=cv2.INTER_AREA)
    return Figure(box, grey, _find_lungs(grey))


def figure_box(pixels: np.ndarray) -> Box:
    """The slice without the white page around it."""
    white = min(_PAGE_WHITE, int(pixels.max()) - _PAGE_SPREAD)
    page = (pixels >= white).view(np.uint8)
    columns, rows = (
        np.flatnonzero(cv2.reduce(page, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S) < most)
        for axis, most in enumerate(_PAGE_SHARE * length for length in pixels.shape)
    )
    if min(rows.size, columns.size) < _SMALLEST_FIGURE:
        return Box(0, 0, *pixels.shape)
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _find_lungs(grey: np.ndarray) -> np.ndarray:
    """Both lungs on a figure, bool (h, w).

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
    if lungs.mean() < _MIN_LUNG_SHARE:
        return np.zeros(grey.shape, bool)
    box = bounding_box(lungs)
    closed = cv2.morphologyEx(_pad(box.of(lungs)), cv2.MORPH_CLOSE, _ellipse(21))
    box.of(lungs)[:] = _fill_holes(closed)[_PAD:-_PAD, _PAD:-_PAD]
    return lungs.view(bool)


def otsu(grey: np.ndarray) -> np.uint8:
    """Otsu's (1979) threshold of grey levels, uint8 of any shape."""
    return np.uint8(cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0])


def _below(grey: np.ndarray, threshold: np.uint8) -> np.ndarray:
    """Where it is darker, uint8 (h, w), without single pixels."""
    dark = (grey < threshold).astype(np.uint8)
    return cv2.morphologyEx(dark, cv2.MORPH_OPEN, _ellipse(3), borderValue=0)


def chest_box(figure: Box, mask: np.ndarray) -> Box:
    """The lungs' bounding box with a small margin; the whole figure where the mask is too narrow.

    Two lungs span most of a chest: a mask that spans less than a third has missed one of them.
    Consolidated lung is as bright as the chest wall and gathers at the back, so a mask that is
    flatter than lungs are is extended there.

    Args:
        figure: where it lies on the slice.
        mask: bool (H, W) from :meth:`Figure.lung_mask`.
    """
    lungs = bounding_box(mask)
    if lungs.width - 1 < _NARROWEST_CHEST * figure.width:
        return figure
    bottom = max(lungs.bottom, lungs.top + round(_LEAST_DEPTH * lungs.width))
    return replace(lungs, bottom=bottom).grown(round(_CROP_MARGIN * lungs.width), figure)


def thorax_cover(lungs: np.ndarray) -> np.ndarray:
    """The lungs' convex hull with a narrow rim: lungs, mediastinum, and consolidated lung too.

    Args:
        lungs: bool (h, w), the part of :meth:`Figure.lung_mask` inside :func:`chest_box`.

    Returns:
        uint8 (h, w), 0 or 1; all 1 where the lungs span too little to draw a hull.
    """
    width = lungs.shape[1]
    if bounding_box(lungs).width - 1 < _NARROWEST_CHEST * width:
        return np.ones(lungs.shape, np.uint8)
    rim = max(3, round(_THORAX_RIM * width)) | 1
    return cv2.dilate(convex_hull(lungs), _ellipse(rim))


def convex_hull(mask: np.ndarray) -> np.ndarray:
    """The smallest convex region that holds a mask, bool (H, W), not empty: uint8 (H, W), 0 or 1.

    Drawn around the outlines alone: sorting all of the mask's pixels would take a hundred times
    longer.
    """
    filled = mask.astype(np.uint8)
    outlines, _ = cv2.findContours(filled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return cv2.fillConvexPoly(np.zeros_like(filled), cv2.convexHull(np.concatenate(outlines)), 1)


def _pad(mask: np.ndarray) -> np.ndarray:
    return cv2.copyMakeBorder(mask, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_CONSTANT, value=0)


def _ellipse(side: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


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
    keep = (area >= _MIN_COMPONENT_SHARE * dark.size) & ~(spans | touches | in_corner)
    keep[0] = False
    return keep.view(np.uint8).take(labels)


def _fill_holes(mask: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(mask), contours, -1, 1, cv2.FILLED)
