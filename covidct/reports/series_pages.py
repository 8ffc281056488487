"""Pages on slices, made from their verdicts: of one, or of the most suspicious of a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from covidct.imaging.anatomy.gate import check_lung_slice
from covidct.inference.heatmap import heat_map
from covidct.inference.judge import Admit, Judged, judge_slices
from covidct.reports.pdf import most_suspicious
from covidct.reports.slice_page import SlicePage

if TYPE_CHECKING:
    from covidct.inference.classifier import Classifier
    from covidct.inference.judge import Outcome, SeriesJudged


def slice_page(classifier: Classifier, judged: Judged, slices: int) -> SlicePage:
    """A page on a slice.

    Args:
        classifier: the network that judged it.
        judged: with its pixels.
        slices: how many there are in its series; 1 where it is of none.
    """
    assert judged.seen is not None  # it is dropped once the slice is reported
    ct_slice, predicted = judged.seen
    of_series = f", slice {judged.case.number} of {slices}" if slices > 1 else ""
    return SlicePage(
        f"Case {judged.case.group}{of_series}",
        ct_slice,
        predicted.prediction,
        classifier.opacities(ct_slice),
        heat_map(classifier, predicted),
    )


def suspicious_pages(
    classifier: Classifier,
    outcomes: Sequence[Outcome | SeriesJudged],
    slices: int,
    admit: Admit = check_lung_slice,
) -> Iterator[SlicePage]:
    """Pages on the most suspicious slices of a series.

    Each is read and judged once more, since no pixels are held of it.

    Args:
        classifier: the network that judged them.
        outcomes: of one series.
        slices: how many there are in it.
        admit: as they were judged.
    """
    shown = [judged.case for judged in most_suspicious(outcomes)]
    for judged in judge_slices(classifier, shown, admit):
        if isinstance(judged, Judged):
            yield slice_page(classifier, judged, slices)
