"""Where lungs and opacities are on a slice, and the crop to the chest."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from covidct.imaging.anatomy.segmentation import CALLED, SIDE, Segmenter

_HALF = 0.5
_LEAST_LUNGS = 0.01  # of the figure; less is bowel or a gap between the ribs
_LEAST_PART = 0.03  # of the lungs; smaller ones are airways, bowel, gaps
_CROP_MARGIN = 0.04
_LEAST_DEPTH = 0.6  # of the lungs' width
_THORAX_RIM = 0.02
_NARROWEST_CHEST = 0.35
_PAGE_WHITE, _PAGE_SPREAD = 245, 10
_PAGE_SHARE = 0.97
_SMALLEST_FIGURE = 32


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
        lungs: bool (h, w), both lungs on ``grey``, with their opacities; all False where there are
            none.
        opacities: float32 (h, w), the probability of ground glass or consolidation; zero outside
            the lungs.
    """

    box: Box
    grey: np.ndarray
    lungs: np.ndarray
    opacities: np.ndarray

    @property
    def opaque(self) -> np.ndarray:
        """Where opacities are called, bool (h, w): at a probability of at least 0.5."""
        return self.opacities >= CALLED

    @property
    def opaque_share(self) -> float:
        """The part of the lungs that is called opaque, 0 to 1."""
        return float(self.opaque.sum() / max(1, self.lungs.sum()))

    def lung_mask(self, shape: tuple[int, int]) -> np.ndarray:
        """The lungs on the pixel grid of the slice, bool of that shape (H, W)."""
        mask = np.zeros(shape, bool)
        size = self.box.width, self.box.height
        lungs = cv2.resize(self.lungs.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        self.box.of(mask)[:] = lungs
        return mask

    def opacity_map(self, shape: tuple[int, int]) -> np.ndarray:
        """The opacities on the pixel grid of the slice, float32 of that shape (H, W)."""
        on_slice = np.zeros(shape, np.float32)
        self.box.of(on_slice)[:] = cv2.resize(self.opacities, (self.box.width, self.box.height))
        return on_slice


def find_figure(pixels: np.ndarray, segmenter: Segmenter) -> Figure:
    """The figure of a slice with its lungs and opacities, sought once for all who need them.

    Args:
        pixels: uint8 (H, W), air dark.
        segmenter: what finds them.
    """
    box = figure_box(pixels)
    grey = working_grey(box.of(pixels))
    return Figure(box, grey, *lungs_and_opacities(grey, segmenter))


def lungs_and_opacities(grey: np.ndarray, segmenter: Segmenter) -> tuple[np.ndarray, np.ndarray]:
    """Both lungs, bool (h, w), and the opacities in them, float32 (h, w), of a figure's grey."""
    found = segmenter(grey)
    lungs = as_lungs(found.lungs)
    return lungs, found.opacities * lungs


def working_grey(figure: np.ndarray) -> np.ndarray:
    """A figure at the size at which lungs are sought, uint8, 256 pixels at the longer side."""
    scale = SIDE / max(figure.shape)
    size = [max(8, round(length * scale)) for length in figure.shape[::-1]]
    return cv2.resize(np.ascontiguousarray(figure), size, interpolation=cv2.INTER_AREA)


def as_lungs(probability: np.ndarray) -> np.ndarray:
    """The lungs of a map of probabilities, bool (h, w): its larger parts above half."""
    lungs = (probability > _HALF).astype(np.uint8)
    _, labels, parts, _ = cv2.connectedComponentsWithStats(lungs, connectivity=4)
    area = parts[:, cv2.CC_STAT_AREA]
    keep = area >= max(_LEAST_PART * area[1:].sum(), _LEAST_LUNGS / 2 * lungs.size)
    keep[0] = False
    kept = keep[labels]
    return kept if kept.mean() >= _LEAST_LUNGS else np.zeros(lungs.shape, bool)


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
    return cv2.dilate(convex_hull(lungs), elliptic(rim))


def convex_hull(mask: np.ndarray) -> np.ndarray:
    """The smallest convex region that holds a mask, bool (H, W), not empty: uint8 (H, W), 0 or 1.

    Drawn around the outlines alone: sorting all of the mask's pixels would take a hundred times
    longer.
    """
    filled = mask.astype(np.uint8)
    outlines, _ = cv2.findContours(filled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return cv2.fillConvexPoly(np.zeros_like(filled), cv2.convexHull(np.concatenate(outlines)), 1)


def elliptic(side: int) -> np.ndarray:
    """An ellipse of so many pixels for OpenCV's morphology, uint8 (side, side)."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
