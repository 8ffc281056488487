"""The lines that answer a request: those of ``classify --json``, with pictures where it asks so."""

from base64 import b64encode
from collections.abc import Collection, Generator, Iterable
from typing import Any

import numpy as np

from covidct.api.asked import OPACITY_MAP, OVERLAY
from covidct.imaging.formats.png import encode_png
from covidct.inference.cases import CaseGroup
from covidct.inference.classifier import Classifier
from covidct.inference.heatmap import OPACITY, heat_map, overlay
from covidct.inference.judge import Judged, SeriesJudged, judge
from covidct.reports.lines import line_of
from covidct.reports.picture import overlay_png


def lines(
    classifier: Classifier,
    groups: Iterable[CaseGroup],
    pictures: Collection[str] = (),
    *,
    with_series: bool,
) -> Generator[dict[str, Any], None, None]:
    """Judge files and series; a line for each slice as soon as it is known.

    Args:
        classifier: the network.
        groups: what to judge.
        pictures: of :data:`covidct.api.asked.PICTURES`, PNG in base64: the overlay as ``explain``
            writes it, the probability of an opacity in grey, 0 to 255, on the slice's own grid.
        with_series: whether series get a line, too, and what there is to say of their completeness.
    """
    for group, outcomes in judge(classifier, groups):
        for outcome in outcomes:
            if isinstance(outcome, SeriesJudged):
                if with_series:
                    notes = {"series_notes": list(group.notes)} if group.notes else {}
                    yield line_of(outcome) | notes
            elif isinstance(outcome, Judged):
                yield line_of(outcome) | _pictures(classifier, outcome, pictures)
            else:
                yield line_of(outcome)


def _pictures(classifier: Classifier, judged: Judged, pictures: Collection[str]) -> dict[str, str]:
    if not judged.seen:
        return {}
    (ct_slice, predicted), drawn = judged.seen, {}
    if OVERLAY in pictures:
        picture = overlay(ct_slice, heat_map(classifier, predicted))
        drawn[OVERLAY] = overlay_png(picture, classifier.card)
    if OPACITY_MAP in pictures:
        opaque = heat_map(classifier, predicted, OPACITY).values
        drawn[OPACITY_MAP] = encode_png(np.rint(255 * opaque).astype(np.uint8))
    return {kind: b64encode(png).decode() for kind, png in drawn.items()}
