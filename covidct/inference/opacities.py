"""What a radiologist would write about the opacities of a slice or series, from map and lungs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from covidct.imaging.anatomy.segmentation import CALLED
from covidct.imaging.ct_slice import CTSlice
from covidct.messages import N_, Message, number

HUE = 240, 228, 66  # yellow of Okabe and Ito's palette, for all kinds of colour vision
_OUTLINES = 300  # as many widths of an outline as the longer side of a slice
SIDES = ("none", "one", "both")
LEAST_SHARE = 0.01  # of the lungs; less is within the error of drawn masks
_LEAST_OF_A_SIDE = 0.01  # of that lung
_MOSTLY = 0.65  # of the opacities in the outer half of the lungs, or outside it
ZONES = (N_("lower"), N_("middle"), N_("upper"))  # from the feet to the head
_SCORE_STEPS = (0.25, 0.5, 0.75)  # of a zone's lung volume
MOST_SEVERE = 24
_SENTENCES = {  # by sides and place
    ("both", "peripheral"): N_(
        "Opacities in {share} of the lungs on this slice, on both sides, mostly peripheral."
    ),
    ("both", "central"): N_(
        "Opacities in {share} of the lungs on this slice, on both sides, mostly central."
    ),
    ("both", ""): N_("Opacities in {share} of the lungs on this slice, on both sides."),
    ("one", "peripheral"): N_(
        "Opacities in {share} of the lungs on this slice, on one side, mostly peripheral."
    ),
    ("one", "central"): N_(
        "Opacities in {share} of the lungs on this slice, on one side, mostly central."
    ),
    ("one", ""): N_("Opacities in {share} of the lungs on this slice, on one side."),
}
_OF_SERIES = {  # by sides, and whether zones are known
    ("both", True): N_(
        "Opacities in {share} of the lungs’ volume, on both sides, most in the {zone} third. "
        "Severity {severity} of {most}."
    ),
    ("one", True): N_(
        "Opacities in {share} of the lungs’ volume, on one side, most in the {zone} third. "
        "Severity {severity} of {most}."
    ),
    ("both", False): N_(
        "Opacities in {share} of the lungs’ volume, on both sides. Severity {severity} of {most}."
    ),
    ("one", False): N_(
        "Opacities in {share} of the lungs’ volume, on one side. Severity {severity} of {most}."
    ),
}


@dataclass(frozen=True, slots=True)
class OpacityFindings:
    """What the opacities of a slice come to, small enough to be kept for thousands.

    Attributes:
        share_of_lung: the part of the lungs that they take, 0 to 1.
        sides: "none", "one" or "both", of the lungs.
        place: "peripheral" or "central" where most of them lie in the outer or the inner half of
            the lungs, else empty.
        lung_areas: of the lungs on the left and on the right of the picture, in pixels.
        opacity_areas: of the opacities in them.
        lung_density: of the lungs as a whole, as :attr:`.CTSlice.lung_density`.
    """

    share_of_lung: float
    sides: str
    place: str
    lung_areas: tuple[int, ...]
    opacity_areas: tuple[int, ...]
    lung_density: float | None = None

    @property
    def sentence(self) -> Message:
        """What there is to see, for a person."""
        if self.sides == "none":
            return N_(
                "No opacity is seen in the lungs on this slice. Patients with COVID-19 have such "
                "slices, too."
            )
        return Message(_SENTENCES[self.sides, self.place], share=number(self.share_of_lung, ".0%"))


@dataclass(frozen=True, slots=True, eq=False)
class Opacities:
    """Ground glass and consolidation on a slice.

    Attributes:
        probability: float32 (H, W), of an opacity at each place of the slice; zero outside the
            lungs.
        mask: bool (H, W), where it is at least 0.5.
        findings: what they come to.
    """

    probability: np.ndarray
    mask: np.ndarray
    findings: OpacityFindings

    @property
    def share_of_lung(self) -> float:
        """The part of the lungs that the mask takes, 0 to 1."""
        return self.findings.share_of_lung

    @property
    def sides(self) -> str:
        """ "none", "one" or "both", of the lungs."""
        return self.findings.sides


def opacities_of(ct_slice: CTSlice) -> Opacities:
    """The opacities of a slice, found together with its lungs."""
    probability = ct_slice.opacity_map * ct_slice.lung_mask
    return Opacities(probability, probability >= CALLED, findings_of(ct_slice))


def findings_of(ct_slice: CTSlice) -> OpacityFindings:
    """The same without the maps."""
    figure, opaque = ct_slice.figure, ct_slice.figure.opaque
    lung_areas, opacity_areas = areas_of_sides(figure.lungs, opaque)
    share = figure.opaque_share
    return OpacityFindings(
        share,
        _sides(lung_areas, opacity_areas) if share >= LEAST_SHARE else SIDES[0],
        _place(opaque, figure.lungs),
        lung_areas,
        opacity_areas,
        ct_slice.lung_density,
    )


def _sides(lung_areas: Sequence[float], opacity_areas: Sequence[float]) -> str:
    shares = np.divide(opacity_areas, np.maximum(1, lung_areas))
    return SIDES[int(np.sum(shares >= _LEAST_OF_A_SIDE))]


def outlined(ct_slice: CTSlice, mask: np.ndarray) -> np.ndarray:
    """A slice with the outline of a mask, bool of any resolution, as RGB uint8 (H, W, 3)."""
    size = ct_slice.shape[::-1]
    laid = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(laid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(max(ct_slice.shape) / _OUTLINES))
    picture = cv2.cvtColor(ct_slice.pixels, cv2.COLOR_GRAY2RGB)
    return cv2.drawContours(picture, outlines, -1, HUE, width, cv2.LINE_AA)


def halves(lungs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lung on the left of the picture and the one on its right, bool (H, W) each.

    They are parted in the middle between their outer ends.
    """
    columns = np.flatnonzero(lungs.any(axis=0))
    middle = int(columns[[0, -1]].mean()) if columns.size else 0
    left, right = lungs.copy(), lungs.copy()
    left[:, middle:] = right[:, :middle] = False
    return left, right


def in_whole_units(density: float | None) -> int | None:
    """A density as tables and scripts are given it: what it is estimated from knows no tenths."""
    return None if density is None else round(density)


def areas_of_sides(
    lungs: np.ndarray, opaque: np.ndarray
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Areas in pixels of either lung and of the opacities in it, of masks bool (H, W)."""
    sides = halves(lungs)
    lung_areas, opacity_areas = (
        tuple(int((layer & side).sum()) for side in sides) for layer in (lungs, opaque)
    )
    return lung_areas, opacity_areas


def _place(mask: np.ndarray, lungs: np.ndarray) -> str:
    """Whether opacities keep to the outer or to the inner half of the lungs, by area."""
    if not mask.any():
        return ""
    depth = cv2.distanceTransform(np.pad(lungs.view(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    outer = float(np.mean(depth[mask] <= np.median(depth[lungs])))
    return "peripheral" if outer >= _MOSTLY else "central" if outer <= 1 - _MOSTLY else ""


@dataclass(frozen=True, slots=True)
class SeriesOpacities:
    """The opacities of a whole series.

    Attributes:
        volume_share: the part of the lungs' volume that they take, 0 to 1.
        zone_shares: likewise of the lower, middle and upper third of the lungs' height; empty where
            it is not known which way the series runs.
        severity: the sum over six zones, each third of either lung, of 0 (none) to 4 (over 75 %);
            0 to 24. After Yuan et al. 2020, doi:10.1371/journal.pone.0230548, whose zones are
            parted by landmarks instead.
        sides: as :attr:`Opacities.sides`.
        lung_density: the median slice's, in Hounsfield units; None where it is not known of any.
    """

    volume_share: float
    zone_shares: tuple[float, ...]
    severity: int
    sides: str
    lung_density: float | None = None

    @property
    def sentence(self) -> Message:
        """What there is to see in the series, for a person."""
        if self.sides == "none":
            return N_("No opacity is seen in the lungs of this series.")
        told = {
            "share": number(self.volume_share, ".0%"),
            "severity": self.severity,
            "most": MOST_SEVERE,
        }
        if self.zone_shares:
            worst = max(range(len(ZONES)), key=self.zone_shares.__getitem__)
            told["zone"] = ZONES[worst]
        return Message(_OF_SERIES[self.sides, bool(self.zone_shares)], **told)


def series_opacities(slices: Sequence[OpacityFindings], *, from_the_feet: bool) -> SeriesOpacities:
    """The opacities of equally spaced slices in order.

    Args:
        slices: of the series' slices with lungs.
        from_the_feet: whether they are known to run from the feet to the head.
    """
    lungs = np.array([one.lung_areas for one in slices], float)
    opaque = np.array([one.opacity_areas for one in slices], float)
    thirds = np.array_split(np.arange(len(slices)), len(ZONES))
    zones = [
        opaque[third].sum(axis=0) / np.maximum(1, lungs[third].sum(axis=0)) for third in thirds
    ]
    share = float(opaque.sum() / max(1, lungs.sum()))
    densities = [one.lung_density for one in slices if one.lung_density is not None]
    sides = _sides(lungs.sum(axis=0).tolist(), opaque.sum(axis=0).tolist())
    return SeriesOpacities(
        share,
        tuple(float(opaque[third].sum() / max(1, lungs[third].sum())) for third in thirds)
        if from_the_feet
        else (),
        sum(_score(of_side) for zone in zones for of_side in zone.tolist()),
        sides if share >= LEAST_SHARE else SIDES[0],
        float(np.median(densities)) if densities else None,
    )


def _score(share: float) -> int:
    """0 for no opacity in a zone, then 1 to 4 by quarters of it."""
    return 0 if share < LEAST_SHARE else 1 + int(np.digitize(share, _SCORE_STEPS))
