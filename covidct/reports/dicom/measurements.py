"""The figures of a verdict as a DICOM measurement report (PS3.16, TID 1500)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.uid import generate_uid

from covidct.inference.opacities import OpacityFindings, SeriesOpacities
from covidct.reports.dicom import codes
from covidct.reports.dicom.equipment import MAKER, device_name, new_series
from covidct.reports.dicom.images import OPACITIES

if TYPE_CHECKING:
    from highdicom.seg import Segmentation
    from pydicom.sr.coding import Code

    from covidct.inference.card import ModelCard
    from covidct.inference.classifier import Prediction
    from covidct.reports.dicom.sources import SourceSlices

_Group = (
    sr.MeasurementsAndQualitativeEvaluations | sr.VolumetricROIMeasurementsAndQualitativeEvaluations
)
_REPORT = 903  # number of the series, above those of scanners


def measurement_report(
    sources: SourceSlices,
    prediction: Prediction,
    opacities: OpacityFindings | SeriesOpacities,
    comment: str,
    card: ModelCard,
    drawn: Segmentation | None = None,
) -> sr.EnhancedSR:
    """A report on a series or a slice.

    Opacities that are drawn in a segmentation are measured as its segment (TID 1411). Otherwise
    they are measured on the slices (TID 1501), as the verdict is.

    Args:
        sources: the slices that the figures rest on.
        prediction: the verdict.
        opacities: what there is to see.
        comment: what a reader must know besides.
        card: of the model, which is the observer.
        drawn: the segmentation that goes with the report, if any.
    """
    shown = drawn if drawn is not None and _shows_opacities(drawn) else None
    observer = sr.ObserverContext(
        sr.CodedConcept.from_code(codes.DEVICE),
        sr.DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=[card.sha256]),
            name=card.model_id,
            manufacturer_name=MAKER,
            model_name=device_name(card),
            serial_number=card.sha256,
        ),
    )
    verdict = _verdict(prediction, card, comment)
    verdict[0].ContentSequence.extend(_references(sources))
    of_opacities = _opacities(opacities, card, shown)
    if shown is None:
        of_opacities[0].ContentSequence.extend(_references(sources))
    content = sr.MeasurementReport(
        sr.ObservationContext(observer_device_context=observer),
        codes.CHEST_CT,
        [verdict, of_opacities],
    )
    return sr.EnhancedSR(
        sources.images if shown is None else [*sources.images, shown],
        content[0],
        is_complete=True,
        coding_schemes=[
            CodingSchemeIdentificationItem(
                codes.SCHEME, name="covidct", responsible_organization=MAKER
            )
        ],
        **new_series(card, _REPORT, "measurements"),
    )


def _references(sources: SourceSlices) -> list[sr.SourceImageForMeasurementGroup]:
    return [
        sr.SourceImageForMeasurementGroup(
            image.SOPClassUID, image.SOPInstanceUID, list(sources.frames) or None
        )
        for image in sources.images
    ]


def _verdict(
    prediction: Prediction, card: ModelCard, comment: str
) -> sr.MeasurementsAndQualitativeEvaluations:
    probability = sr.Measurement(codes.PROBABILITY, float(prediction.probability), codes.NO_UNITS)
    of_what = sr.CodeContentItem(
        codes.ASSOCIATED, codes.COVID_19, sr.RelationshipTypeValues.HAS_CONCEPT_MOD
    )
    probability[0].ContentSequence = sr.ContentSequence([of_what])
    point = float(prediction.operating_point)
    group = sr.MeasurementsAndQualitativeEvaluations(
        **_told(
            "COVID-19, research use only",
            card,
            [probability, sr.Measurement(codes.OPERATING_POINT, point, codes.NO_UNITS)],
            [sr.QualitativeEvaluation(codes.COVID_19, codes.DECISIONS[prediction.decision])],
        )
    )
    group[0].ContentSequence.append(
        sr.TextContentItem(codes.COMMENT, comment, sr.RelationshipTypeValues.CONTAINS)
    )
    return group


def _opacities(
    found: OpacityFindings | SeriesOpacities, card: ModelCard, drawn: Segmentation | None
) -> _Group:
    if isinstance(found, OpacityFindings):
        measured = [_extent(codes.OPACITY_OF_AREA, found.share_of_lung, codes.LUNG)]
    else:
        shares = (found.volume_share, *found.zone_shares)
        places = (codes.LUNG, *codes.ZONES)
        measured = [
            *(
                _extent(codes.OPACITY_OF_VOLUME, share, place)
                for share, place in zip(shares, places, strict=False)  # zones may be unknown
            ),
            sr.Measurement(codes.SEVERITY, found.severity, codes.NO_UNITS),
        ]
    sides = codes.SIDES.get(found.sides)
    evaluations = [sr.QualitativeEvaluation(codes.LATERALITY, sides)] if sides else []
    told = _told("Opacities, research use only", card, measured, evaluations)
    if drawn is None:
        return sr.MeasurementsAndQualitativeEvaluations(**told)
    segment = sr.ReferencedSegment.from_segmentation(drawn, OPACITIES)
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **told)


def _shows_opacities(drawn: Segmentation) -> bool:
    """Whether it has frames of the segment of opacities; those without any are left out of it."""
    return any(
        frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == OPACITIES
        for frame in drawn.PerFrameFunctionalGroupsSequence
    )


def _extent(name: Code, share: float, place: Code) -> sr.Measurement:
    return sr.Measurement(name, 100 * share, codes.PERCENT, finding_sites=[sr.FindingSite(place)])


def _told(
    title: str,
    card: ModelCard,
    measured: list[sr.Measurement],
    evaluations: list[sr.QualitativeEvaluation],
) -> dict[str, Any]:
    """What groups of all kinds are told alike."""
    algorithm = sr.AlgorithmIdentification(card.name, card.sha256, manufacturer=MAKER)
    return {
        "tracking_identifier": sr.TrackingIdentifier(generate_uid(), title),
        "algorithm_id": algorithm,
        "measurements": measured,
        "qualitative_evaluations": evaluations,
    }
