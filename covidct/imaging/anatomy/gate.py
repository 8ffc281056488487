"""Whether a picture is an axial slice with lungs at all, judged before a network is asked.

A network gives every picture a verdict, a photograph too. Here a picture must look like what the
network learnt from: two air-dark lungs with sharp borders, side by side in evenly bright tissue.
Ten measures of what the network that finds lungs takes for them say how far it does, and a table
says how far each may go. The limits were set by hand, beyond nearly all slices of COVID-CT, and
among what that leaves so that the photographs and X-rays at hand and crops of them fall outside;
other pictures may still slip through.
"""

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from covidct.errors import NotALungSlice
from covidct.imaging.anatomy.lungs import (
    Box,
    bounding_box,
    convex_hull,
    elliptic,
    find_figure,
)
from covidct.imaging.anatomy.segmentation import shipped_segmenter
from covidct.imaging.ct_slice import CTSlice
from covidct.messages import N_, joined

OUTSIDE_USE = N_("Outside the intended use.")

_RIM = 0.02  # of the picture's width; a ring of body wall around the lungs
_REACH = 8  # pixels around that ring, farther than any filter reaches
_ASIDE = 0.15  # of the picture's width; a mask whose middle lies further out is one lung alone
_GRID = 24, 32  # rows and columns on which the arrangement is compared
_AIR_PERCENTILE = 25
_MOST_COLOUR = 0.2
_LEAST_NOISE = 0.008  # of the contrast; the smoothest published slice has 0.014
_WAIST = 0.6  # of the mean row of lungs; the narrowest row of a slice's middle third is wider
_QUARTER_LIKENESS, _QUARTER_WIDTH = 0.25, 0.5  # at least, of two lungs in a quarter
_ANY = np.inf  # whatever the separation

_NO_LUNGS = N_("No lungs were found in this picture. An axial CT slice of the chest is expected.")
_NO_LUNGS_ON_CT = N_(
    "No lungs on this slice, or not as an axial slice of the chest shows them; the CT may be of "
    "another region."
)
_COLOURED = N_("This picture is coloured, like a photograph; CT slices are grey.")
_BLURRED = N_(
    "The dark regions of this picture do not stand out as lungs do on a CT slice; it looks like an "
    "X-ray or a photograph."
)
_ROUGH = N_(
    "The grey levels of this picture are too uneven for a CT slice; it looks like a photograph."
)
_DRAWN = N_("This picture is too even for a CT slice, as in a drawing or a document.")
_SEVERAL = N_(
    "This picture is as wide or as tall as several slices together. Where it shows more than one, "
    "crop each and upload it by itself."
)
_FOUR = N_(
    "This picture seems to show several slices, beside and below each other. Crop each and upload "
    "it by itself."
)
_UNLIKE = N_(
    "The dark regions of this picture are not arranged like two lungs on an axial CT slice."
)


@dataclass(frozen=True, slots=True)
class Measures:
    """What a picture is judged by, each without unit.

    Attributes:
        separation: Otsu's (1979) criterion inside the thorax, the share of variance that lies
            between dark and bright.
        sharpness: slope of the grey levels at the lungs' border, a pixel, of the contrast.
        roughness: local deviation in tissue and in lung together, of the contrast.
        likeness: correlation with a drawing of two lungs around a mediastinum.
        filling: how much lung there is midway between left and right; 0 for one lung alone.
        width: of the lungs, of the picture's.
        depth: of the lungs from front to back, of the picture's width.
        aspect: depth of the lungs by their width.
        elongation: width of the picture, without an even margin, by its height.
        quarters: how many quarters of the picture show two lungs of their own; 0 where its lungs
            have no waist, as those of two rows of slices have.
    """

    separation: float
    sharpness: float
    roughness: float
    likeness: float
    filling: float
    width: float
    depth: float
    aspect: float
    elongation: float
    quarters: int

    @property
    def arrangement(self) -> float:
        """Likeness less filling: low for one dark thing where two should be."""
        return self.likeness - self.filling

    @property
    def drawn_likeness(self) -> float:
        """Likeness where there is no noise, as of drawings and of slices in a narrow window."""
        return self.likeness if self.roughness < _LEAST_NOISE else 1.0

    @property
    def breadth(self) -> float:
        """High for wide lungs in a wide picture: those of several slices side by side."""
        return self.elongation / self.aspect


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a picture is fit for the network.

    Attributes:
        reason: why it is not, a sentence for the user; empty where it is.
        measures: what was measured; None where there was nothing to measure.
    """

    reason: str = ""
    measures: Measures | None = None

    @property
    def accepted(self) -> bool:
        """Whether the picture may be classified without a word."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class _Limit:
    """A measure must lie between two values where separation is below another."""

    measure: str
    low: float
    high: float
    below: float
    reason: str


_NO = np.inf
_LIMITS = (
    _Limit("elongation", 0, 2.3, _ANY, _SEVERAL),
    _Limit("breadth", 0, 5.7, _ANY, _SEVERAL),
    _Limit("quarters", 0, 2, _ANY, _FOUR),
    _Limit("separation", 0.65, _NO, _ANY, _BLURRED),
    _Limit("separation", 0, 0.975, _ANY, _DRAWN),
    _Limit("sharpness", 0.22, _NO, 0.80, _BLURRED),
    _Limit("sharpness", 0.13, _NO, 0.86, _BLURRED),
    _Limit("drawn_likeness", 0.5, _NO, _ANY, _DRAWN),
    _Limit("roughness", 0, 0.45, _ANY, _ROUGH),
    _Limit("likeness", 0.15, _NO, 0.82, _UNLIKE),
    _Limit("likeness", 0.0, _NO, 0.83, _UNLIKE),
    _Limit("likeness", -0.4, _NO, _ANY, _UNLIKE),
    _Limit("filling", 0, 1.1, _ANY, _UNLIKE),
    _Limit("arrangement", -0.45, _NO, 0.93, _UNLIKE),
    _Limit("arrangement", -0.8, _NO, _ANY, _UNLIKE),
    _Limit("width", 0.48, _NO, 0.81, _UNLIKE),
    _Limit("width", 0.3, _NO, _ANY, _UNLIKE),
    _Limit("depth", 0, 1.0, _ANY, _UNLIKE),
    _Limit("aspect", 0.25, 1.8, _ANY, _UNLIKE),
    _Limit("elongation", 0.9, _NO, _ANY, _SEVERAL),
)


def gate(ct_slice: CTSlice) -> GateVerdict:
    """Judge a picture; takes about as long as finding its lungs.

    They are those of the shipped network, with which the limits were set.
    """
    if ct_slice.colour_share > _MOST_COLOUR:
        return GateVerdict(_COLOURED)
    figure = ct_slice.segmented_by(None).figure
    measures = measure(figure.grey, figure.lungs)
    if measures is None:
        return GateVerdict(_NO_LUNGS)
    reasons = (limit.reason for limit in _LIMITS if _exceeds(measures, limit))
    return GateVerdict(next(reasons, ""), measures)


def past_gate(ct_slice: CTSlice) -> CTSlice:
    """The slice, with a note that it lies outside the intended use where the gate refuses it."""
    reason = gate(ct_slice).reason
    notes = (joined(OUTSIDE_USE, reason),) if reason else ()
    return replace(ct_slice, notes=(*notes, *ct_slice.notes))


def check_lung_slice(ct_slice: CTSlice) -> CTSlice:
    """The slice as it is, or a refusal where the gate does not accept it.

    Raises:
        NotALungSlice: with the gate's reason.
    """
    verdict = gate(ct_slice)
    if not verdict.accepted:
        raise NotALungSlice(_NO_LUNGS_ON_CT if ct_slice.source == "DICOM" else verdict.reason)
    return ct_slice


def measure(figure: np.ndarray, lungs: np.ndarray) -> Measures | None:
    """The measures of a figure, uint8 (h, w), and its lungs, bool (h, w).

    None where there are none.
    """
    if not lungs.any():
        return None
    picture, all_lungs, box = _smoothed(figure), lungs, bounding_box(lungs)
    rim = 2 * max(2, round(_RIM * picture.shape[1])) + 1
    near = box.grown(rim + _REACH, Box(0, 0, *picture.shape))
    grey, lungs = (np.ascontiguousarray(near.of(one)) for one in (picture, all_lungs))
    hull = convex_hull(lungs)
    thorax = cv2.dilate(hull, elliptic(rim)) > 0
    inside = hull.astype(bool)
    air = np.percentile(grey[lungs], _AIR_PERCENTILE)
    tissue = thorax & ~lungs
    if not tissue.any():
        return None
    contrast = max(float(np.median(grey[tissue]) - air), 1.0)
    chest = np.clip((box.of(picture) - air) / contrast, -0.2, 1.2)
    return Measures(
        separation=_separation(grey[thorax]),
        sharpness=_sharpness(grey, lungs) / contrast,
        roughness=_roughness(grey, lungs, inside & ~lungs, tissue) / contrast,
        likeness=_likeness(chest),
        filling=_filling(all_lungs, inside, box.left, box.right),
        width=box.width / picture.shape[1],
        depth=box.height / picture.shape[1],
        aspect=box.height / box.width,
        elongation=picture.shape[1] / picture.shape[0],
        quarters=_quarters(picture, box.of(all_lungs)),
    )


def _exceeds(measures: Measures, limit: _Limit) -> bool:
    value = getattr(measures, limit.measure)
    return measures.separation < limit.below and not limit.low <= value <= limit.high


def _smoothed(grey: np.ndarray) -> np.ndarray:
    """Without single pixels that stand out, float32 (h, w)."""
    return cv2.medianBlur(grey, 3).astype(np.float32)


def _separation(values: np.ndarray) -> float:
    whole = values.astype(np.uint8)
    threshold, _ = cv2.threshold(whole, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    bright = values > threshold
    share = bright.mean()
    if not 0 < share < 1:
        return 0.0
    difference = values[bright].mean() - values[~bright].mean()
    return float(share * (1 - share) * difference**2 / values.var())


def _sharpness(grey: np.ndarray, lungs: np.ndarray) -> float:
    slopes = [cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1))]
    steepest = cv2.dilate(cv2.magnitude(*slopes), elliptic(3))
    border = cv2.dilate(lungs.view(np.uint8), elliptic(3)).astype(bool) & ~lungs
    return float(np.median(steepest[border]))


def _roughness(
    grey: np.ndarray, lungs: np.ndarray, mediastinum: np.ndarray, tissue: np.ndarray
) -> float:
    mean = cv2.blur(grey, (5, 5))
    deviation = np.sqrt(np.maximum(cv2.blur(grey * grey, (5, 5)) - mean * mean, 0))
    rough = 0.0
    for region, otherwise in ((mediastinum, tissue), (lungs, lungs)):
        core = cv2.erode(region.astype(np.uint8), elliptic(7)).astype(bool)
        rough += float(np.median(deviation[core if core.sum() > 30 else otherwise]))
    return rough


def _likeness(chest: np.ndarray) -> float:
    small = cv2.resize(chest, _GRID[::-1], interpolation=cv2.INTER_AREA)
    return float(-np.corrcoef(small.ravel(), _two_lungs().ravel())[0, 1]) if small.std() else 0.0


@cache
def _two_lungs() -> np.ndarray:
    """Cover of two lungs in their bounding box, float32 on the grid, as an atlas draws them."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in _GRID), indexing="ij")
    thorax = np.abs(x) ** 2.4 + np.abs(y) ** 2.4 < 1
    heart = np.hypot(x / 0.35, (y + 0.2) / 0.5) < 1
    spine = (np.abs(x) < 0.1) & (y > 0.2)
    return cv2.blur((thorax & ~heart & ~spine).astype(np.float32), (3, 3))


def _filling(lungs: np.ndarray, hull: np.ndarray, left: int, right: int) -> float:
    """Lung in the middle sixth against the mean of all columns, weighed by how convex it is."""
    middle, width = (left + right) / 2, right - left
    if abs(middle / lungs.shape[1] - 0.5) > _ASIDE:
        return 0.0
    columns = lungs.sum(axis=0)
    central = columns[int(middle - width / 12) : int(middle + width / 12) + 1].mean()
    return float(central / columns[left:right].mean() * lungs.sum() / hull.sum())


def _quarters(grey: np.ndarray, lungs: np.ndarray) -> int:
    rows = lungs.sum(axis=1)
    third = len(rows) // 3
    if rows[third : len(rows) - third].min() >= _WAIST * rows.mean():
        return 0
    halves = np.array_split(grey.astype(np.uint8), 2)
    return sum(
        _shows_two_lungs(quarter) for half in halves for quarter in np.array_split(half, 2, axis=1)
    )


def _shows_two_lungs(pixels: np.ndarray) -> bool:
    figure = find_figure(pixels, shipped_segmenter())
    box = bounding_box(figure.lungs)
    is_wide = box.width >= _QUARTER_WIDTH * figure.grey.shape[1]
    return is_wide and _likeness(box.of(_smoothed(figure.grey))) >= _QUARTER_LIKENESS
