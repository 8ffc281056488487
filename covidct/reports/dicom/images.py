"""Opacities as a DICOM segmentation, heat maps as a parametric map, on the slices' own planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import highdicom as hd
import numpy as np

from covidct.imaging.anatomy.segmentation import CALLED
from covidct.inference.opacities import HUE
from covidct.reports.dicom import codes
from covidct.reports.dicom.equipment import MAKER, new_series

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

    from covidct.inference.card import ModelCard
    from covidct.reports.dicom.sources import SourceSlices

OPACITIES, _LUNGS = 1, 2  # numbers of segments
_SEGMENTATION, _MAP = 901, 902  # numbers of series, above those of scanners
_MAP_SIDE = 128  # finer than what the network sees, and small beside the slices
_LUNGS_HUE = 140, 140, 140
_EVIDENCE = "Share of the slice's peak: above 0 for COVID-19, below against"


class Plane(NamedTuple):
    """What is drawn on one slice, small enough to be kept for hundreds.

    Attributes:
        masks: uint8, the bits of opacities and lungs (2, H, W).
        evidence: float32 (h, w), -1 to 1.
    """

    masks: np.ndarray
    evidence: np.ndarray


def plane(opacities: np.ndarray, lungs: np.ndarray, evidence: np.ndarray) -> Plane:
    """What is drawn on one slice.

    Args:
        opacities: bool (H, W), as the slice is stored.
        lungs: likewise.
        evidence: float32 (H, W), the heat map, above zero for COVID-19 and below against it. It is
            kept with at most 128 pixels a side, each the mean of those that it stands for.
    """
    rows, columns = (min(length, _MAP_SIDE) for length in evidence.shape)
    reduced = cv2.resize(
        np.ascontiguousarray(evidence), (columns, rows), interpolation=cv2.INTER_AREA
    )
    return Plane(np.packbits([opacities, lungs]), reduced)


def segmentation(
    sources: SourceSlices, planes: Sequence[Plane], card: ModelCard
) -> hd.seg.Segmentation:
    """A segmentation (PS3.3 section A.51) with two segments that no pixel is in both of, since
    viewers cope badly with that: opacities, and the rest of the lungs.

    Args:
        sources: the slices.
        planes: what is drawn on each.
        card: of the model in use.
    """
    labels = np.empty((len(planes), *sources.grid.shape), np.uint8)
    for label, drawn in zip(labels, planes, strict=True):
        opaque, lungs = np.unpackbits(drawn.masks, count=2 * label.size).reshape(2, *label.shape)
        label[:] = np.where(opaque, OPACITIES, _LUNGS * lungs)
    segments = [
        _segment(OPACITIES, "Opacities", codes.ABNORMAL, codes.OPACITY, HUE, card),
        _segment(_LUNGS, "Lungs without opacities", codes.ANATOMY, codes.LUNG, _LUNGS_HUE, card),
    ]
    return hd.seg.Segmentation(
        sources.images,
        labels,
        hd.seg.SegmentationTypeValues.BINARY,
        segments,
        content_label="OPACITIES",
        content_description="Opacities and lungs by a network, research use only",
        content_qualification=hd.ContentQualificationValues.RESEARCH,
        **_places(sources, sources.grid.shape),
        **new_series(card, _SEGMENTATION, "opacities"),
    )


def _segment(
    number: int,
    label: str,
    category: Code,
    kind: Code,
    hue: tuple[int, int, int],
    card: ModelCard,
) -> hd.seg.SegmentDescription:
    network = hd.AlgorithmIdentificationSequence(
        name="covidct segmentation",
        family=codes.ARTIFICIAL_INTELLIGENCE,
        version=card.segmentation,
        source=MAKER,
        parameters={"called from a probability of": str(CALLED)},
    )
    return hd.seg.SegmentDescription(
        number,
        label,
        category,
        kind,
        hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        network,
        anatomic_regions=[codes.LUNG],
        display_color=hd.color.CIELabColor.from_rgb(*hue),
    )


def parametric_map(
    sources: SourceSlices, planes: Sequence[Plane], card: ModelCard
) -> hd.pm.ParametricMap:
    """A parametric map (PS3.3 section A.75) of the evidence on each slice.

    Args:
        sources: the slices.
        planes: what is drawn on each.
        card: of the model in use.
    """
    maps = np.stack([drawn.evidence for drawn in planes])
    mapping = hd.pm.RealWorldValueMapping(
        lut_label="EVIDENCE",
        lut_explanation=_EVIDENCE,
        unit=codes.NO_UNITS,
        value_range=(-1.0, 1.0),
        quantity_definition=codes.GRAD_CAM,
    )
    made = hd.pm.ParametricMap(
        sources.images,
        maps,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0, window_width=2)],
        content_label="HEAT_MAP",
        content_description="Heat map of a network's verdict, research use only",
        content_qualification=hd.ContentQualificationValues.RESEARCH,
        **_places(sources, maps.shape[1:]),
        **new_series(card, _MAP, "heat map"),
    )
    made.BodyPartExamined = "CHEST"
    return made


def _places(sources: SourceSlices, shape: tuple[int, ...]) -> dict[str, Any]:
    """Where the pixels of frames lie that cover the slices with so many rows and columns."""
    grid = sources.grid
    between = [
        spacing * stored / length
        for spacing, stored, length in zip(grid.spacing_mm, grid.shape, shape, strict=True)
    ]
    along_row, along_column = np.reshape(grid.orientation, (2, 3))
    down, right = ((new - old) / 2 for new, old in zip(between, grid.spacing_mm, strict=True))
    corners = sources.positions + down * along_column + right * along_row
    patient = hd.CoordinateSystemNames.PATIENT
    return {
        "pixel_measures": hd.PixelMeasuresSequence(between, grid.thickness_mm),
        "plane_orientation": hd.PlaneOrientationSequence(patient, grid.orientation),
        "plane_positions": [hd.PlanePositionSequence(patient, corner) for corner in corners],
    }
