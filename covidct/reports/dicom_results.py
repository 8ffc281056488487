"""The results on a series as DICOM objects, to lie beside it in an archive.

They are made in memory, and hold the patient and the study of their source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from covidct.errors import ExportError
from covidct.messages import N_, joined
from covidct.reports.secondary_capture import CaptureSeries, file_of, keep_identifiers
from covidct.reports.words import NO_DECISION, RESEARCH_USE, series_sentence, verdict_sentence

if TYPE_CHECKING:
    from pydicom import Dataset

    from covidct.inference.card import ModelCard
    from covidct.inference.classifier import Classifier, Prediction
    from covidct.inference.heatmap import HeatMap
    from covidct.inference.judge import Judged, Outcome, SeriesJudged
    from covidct.inference.opacities import OpacityFindings, SeriesOpacities
    from covidct.reports.dicom.images import Plane
    from covidct.reports.dicom.sources import SourceSlices

CAPTURES, SEGMENTATION, REPORT, MAP = KINDS = ("sc", "seg", "sr", "map")


def results_of_series(
    classifier: Classifier,
    outcomes: Sequence[Outcome | SeriesJudged],
    what: Collection[str] = KINDS,
) -> Iterator[Dataset]:
    """The objects on a series, or on a single slice, that was judged.

    Args:
        classifier: that judged it; it is asked again for pictures and maps.
        outcomes: of the slices and of the whole, as :func:`covidct.inference.judge.conclude` gives
            them; summaries will do.
        what: of :data:`KINDS`: overlays as secondary captures, one a slice; then one each,
            opacities and lungs as a segmentation, the figures as a TID 1500 report, which refers
            to the segmentation where both are asked for, the heat maps as a parametric map.

    Returns:
        One after the other as they are made, in the order of :data:`KINDS`.

    Raises:
        ExportError: no slice was judged, or the headers of the slices lack what the objects that
            are asked for must refer to. At once, before any is made.
        UnreadableSlice: a header is damaged.
    """
    from covidct.inference.judge import Judged

    judged = [one for one in outcomes if isinstance(one, Judged)]
    if not judged:
        raise ExportError(N_("No slice of this series was classified, so there are no results."))
    sources = None
    if set(what) - {CAPTURES}:
        from covidct.reports.dicom.sources import source_slices

        sources = source_slices([one.case for one in judged])
    return _made(classifier, outcomes, judged, what, sources)


def files_of_series(
    classifier: Classifier, outcomes: Sequence[Outcome | SeriesJudged]
) -> Iterator[tuple[str, bytes]]:
    """All of them but captures, as files by kind.

    Raises:
        ExportError, UnreadableSlice: as :func:`results_of_series`.
    """
    kinds = KINDS[1:]
    made = results_of_series(classifier, outcomes, kinds)
    return ((kind, file_of(one)) for kind, one in zip(kinds, made, strict=True))


def _made(
    classifier: Classifier,
    outcomes: Sequence[Outcome | SeriesJudged],
    judged: Sequence[Judged],
    what: Collection[str],
    sources: SourceSlices | None,
) -> Iterator[Dataset]:
    captures, planes = CaptureSeries(classifier.card, datetime.now()), []
    for one, heat in _drawn(classifier, judged) if set(what) - {REPORT} else ():
        if CAPTURES in what:
            yield _capture(captures, one, heat)
        if sources:
            planes.append(_plane(one, heat, sources))
    if sources:
        file = sources.file.read()
        for made in _of_all(classifier.card, outcomes, what, sources, planes):
            keep_identifiers(made, file)
            yield made


def _drawn(classifier: Classifier, judged: Sequence[Judged]) -> Iterator[tuple[Judged, HeatMap]]:
    """The slices again, with their pixels and heat maps.

    Raises:
        UnreadableSlice: one cannot be read any more.
    """
    from covidct.inference.heatmap import heat_map
    from covidct.inference.judge import Refused, judge_slices

    for one in judge_slices(classifier, (one.case for one in judged), lambda ct_slice: ct_slice):
        if isinstance(one, Refused):
            raise one.error
        assert one.seen is not None  # only summaries are without
        yield one, heat_map(classifier, one.seen[1])


def _capture(captures: CaptureSeries, one: Judged, heat: HeatMap) -> Dataset:
    from covidct.inference.heatmap import overlay

    assert one.seen is not None
    assert one.case.number is not None
    ct_slice, _ = one.seen
    file = one.case.file if one.source == "DICOM" else None
    return captures.capture(
        overlay(ct_slice, heat),
        one.case.number,
        ct_slice.spacing_mm,
        file.read() if file else None,
        one.case.place.frame,
    )


def _plane(one: Judged, heat: HeatMap, sources: SourceSlices) -> Plane:
    """What is drawn on a slice, on its stored pixels."""
    from covidct.inference.opacities import opacities_of
    from covidct.reports.dicom.images import plane

    assert one.seen is not None
    ct_slice, _ = one.seen
    evidence = heat.values if one.prediction.is_positive else -heat.values
    stored = sources.turn.undone
    return plane(stored(opacities_of(ct_slice).mask), stored(ct_slice.lung_mask), stored(evidence))


def _of_all(
    card: ModelCard,
    outcomes: Sequence[Outcome | SeriesJudged],
    what: Collection[str],
    sources: SourceSlices,
    planes: Sequence[Plane],
) -> Iterator[Dataset]:
    from covidct.reports.dicom.images import parametric_map, segmentation
    from covidct.reports.dicom.measurements import measurement_report

    drawn = segmentation(sources, planes, card) if SEGMENTATION in what else None
    if drawn is not None:
        yield drawn
    if REPORT in what:
        yield measurement_report(sources, *_figures(outcomes, card), card, drawn)
    if MAP in what:
        yield parametric_map(sources, planes, card)


def _figures(
    outcomes: Sequence[Outcome | SeriesJudged], card: ModelCard
) -> tuple[Prediction, OpacityFindings | SeriesOpacities, str]:
    """Verdict and opacities of the series, or else of its only slice, and what to say of them."""
    from covidct.inference.judge import SeriesJudged, verdict_among

    told = verdict_among(outcomes)
    assert told is not None  # a slice was judged
    prediction, opacities = told.prediction, told.opacities
    if isinstance(told, SeriesJudged):
        said = series_sentence(prediction, told.number)
    else:
        said = verdict_sentence(prediction, card.calibration.abstain_band)
    return prediction, opacities, joined(said, opacities.sentence, RESEARCH_USE, NO_DECISION)
