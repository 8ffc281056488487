"""A series on the page: its verdict, its course, the slices to look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Literal

import streamlit as st

from covidct.imaging.formats.png import encode_png
from covidct.messages import ngettext
from covidct.reports.words import CLASSES_OF_SERIES, series_sentence, uncertain_from_to
from covidct.ui import languages
from covidct.ui.diagnose import walk
from covidct.ui.strings import _, literal, percent
from covidct.ui.widgets import callout, class_scale, hint, label, tell_whose

if TYPE_CHECKING:
    import altair as alt

    from covidct.inference.calibration import Calibration
    from covidct.inference.card import ModelCard
    from covidct.inference.cases import Case, CaseGroup, SetAside
    from covidct.inference.judge import Judged, Outcome, Refused, SeriesJudged

_MOST, _THUMBNAIL, _WIDE = 5, 220, 130  # slices, pixels of a thumbnail, of its place
_COLOURS = {"Positive": "#c8693a", "Negative": "#2a8fa5", "Uncertain": "#7f9097"}
_QUIET, _NAMES = "#7f9097", ("#55666e", "#9fb0b6")  # of names on light and on dark
_HEIGHT = 260
_CHART, _PRESSED = "series_chart", "pressed"
# What is drawn of the series on the page once, since it would take longer than the next slice
_SPEC, _SMALL = "series chart drawn", "series thumbnails"
_OPACITY, _EDGE, _BAR = "#f0e442", "#8f8200", 6  # its hue everywhere, dark; pixels


def show_verdict(
    series: CaseGroup, outcomes: Sequence[Outcome | SeriesJudged], card: ModelCard
) -> int:
    """Draw the verdict on a series; the position in it of the slice to show.

    Args:
        series: its slices.
        outcomes: of its slices, in order, and of the whole.
        card: of the model in use.
    """
    cases = series.cases
    judged, others = _shared_out(series, outcomes)
    if not judged:
        callout(_("No slice of this series was classified."), _(others[0].reason), tone="stop")
        return walk.position(cases)
    whole = _whole(outcomes)
    verdict = whole.prediction
    decision, more = st.columns([3, 2], gap="large")
    decision.html(
        f'<div class="cv-verdict cv-{verdict.decision.lower()}">'
        f'<p class="cv-decision">{literal(_(verdict.decision))}</p>'
        f"<p>{literal(_(series_sentence(verdict, whole.number)))}</p></div>"
    )
    with more:
        st.html(f'<p class="cv-opacities">{literal(_(whole.opacities.sentence))}</p>')
        tell_whose(card)
        hint(_counts(judged, len(cases)))
    return walk.position(cases, whole.number - 1)


def show_course(
    series: CaseGroup, outcomes: Sequence[Outcome | SeriesJudged], card: ModelCard
) -> None:
    """Draw what there is to say on a series, its probabilities and the slices to look at first."""
    for note in series.notes:
        callout(_(note), tone="note")
    judged, others = _shared_out(series, outcomes)
    if not judged:
        return
    class_scale(
        _("Probability of each class, by the slices that the verdict rests on"),
        _whole(outcomes).prediction.classes,
        _(CLASSES_OF_SERIES),
    )
    label(_("Probability along the series"))
    rest = [(one.case.number, _(one.reason)) for one in others]
    drawn = [one.case.content for one in judged], rest, card.model_id
    look = languages.current().tag, st.context.theme.type
    if st.session_state.get(_SPEC, (None, None))[0] != (drawn, look):
        chart = _chart(judged, rest, card.calibration, axis(series.cases))
        st.session_state[_SPEC] = (drawn, look), chart.to_dict()
    st.vega_lite_chart(
        deepcopy(st.session_state[_SPEC][1]),
        width="stretch",
        key=_CHART,
        on_select=partial(_open_pressed, series.cases),
        selection_mode=[_PRESSED],
    )
    _suspicious(judged)


def forget() -> None:
    """Let go of what is kept of a series that is no longer on the page."""
    for kept in (_SPEC, _SMALL):
        st.session_state.pop(kept, None)


def _shared_out(
    series: CaseGroup, outcomes: Sequence[Outcome | SeriesJudged]
) -> tuple[list[Judged], list[Refused | SetAside]]:
    """The slices that were judged, and those that were not."""
    from covidct.inference.judge import Judged, SeriesJudged

    of_slices = [one for one in outcomes[: len(series.cases)] if not isinstance(one, SeriesJudged)]
    judged = [one for one in of_slices if isinstance(one, Judged)]
    return judged, [one for one in of_slices if not isinstance(one, Judged)]


def _whole(outcomes: Sequence[Outcome | SeriesJudged]) -> SeriesJudged:
    """The verdict on the whole."""
    from covidct.inference.judge import SeriesJudged

    (whole,) = (one for one in outcomes if isinstance(one, SeriesJudged))
    return whole


def show_left_out(left_out: Sequence[SetAside]) -> None:
    """What belongs to series and is no slice of one, and why; nothing where there is none."""
    if not left_out:
        return
    title = ngettext("{count:,} picture set aside", "{count:,} pictures set aside", len(left_out))
    with st.expander(_(title), type="compact"):
        st.dataframe(
            {
                _("File"): [left.case.place.file for left in left_out],
                _("Reason"): [_(left.reason) for left in left_out],
            },
            hide_index=True,
        )


def axis(cases: Sequence[Case]) -> str:
    """What the numbers of the slices mean; without positions nobody knows where the head is."""
    known = all(case.place.position_mm is not None for case in cases)
    return _("Slice, from the feet to the head") if known else _("Slice")


def _open_pressed(cases: Sequence[Case]) -> None:
    """Open the slice that was pressed in the chart."""
    pressed = st.session_state[_CHART]["selection"][_PRESSED]
    if pressed:
        walk.open_slice(cases[int(pressed[0]["slice"]) - 1])


def _counts(judged: Sequence[Judged], slices: int) -> str:
    decisions = Counter(one.prediction.decision for one in judged)
    return _(
        "{slices} slices: {counts}, {rest} not classified.",
        slices=slices,
        counts=", ".join(f"{decisions[decision]} {_(decision)}" for decision in _COLOURS),
        rest=slices - len(judged),
    )


def _thumbnail(case: Case) -> bytes:
    return encode_png(case.read().at_most(_THUMBNAIL).pixels)


def _suspicious(judged: Sequence[Judged]) -> None:
    """The slices of the highest probability, each to be opened by a press."""
    ranked = sorted(judged, key=lambda one: -one.prediction.probability)[:_MOST]
    label(_("Most suspicious slices first"))
    held = st.session_state.get(_SMALL, {})
    st.session_state[_SMALL] = small = {
        one.case.content: held.get(one.case.content) or _thumbnail(one.case) for one in ranked
    }
    row = st.container(horizontal=True, gap="small")
    for one in ranked:
        thumbnail = row.container(key=f"thumbnail {one.case.number}", width=_WIDE)
        thumbnail.image(
            small[one.case.content],
            width="stretch",
            output_format="PNG",
            alt=_("Slice {number}", number=one.case.number),
        )
        thumbnail.button(
            _(
                "Slice {number}, {probability}",
                number=one.case.number,
                probability=percent(one.prediction.probability),
            ),
            key=f"suspicious {one.case.number}",
            width="stretch",
            on_click=walk.open_slice,
            args=(one.case,),
        )


def _named(text: str, at: float, x: alt.Datum, *, align: Literal["left", "right"]) -> alt.Chart:
    """The name of a line or a band, above this probability."""
    import altair as alt
    import pandas as pd

    colour = _NAMES[st.context.theme.type == "dark"]
    return (
        alt.Chart(pd.DataFrame({"y": [at], "text": [text]}))
        .mark_text(color=colour, align=align, baseline="bottom", dx=-4 if align == "right" else 4)
        .encode(x=x, y="y:Q", text="text:N")
    )


def _chart(
    judged: Sequence[Judged],
    missing: Sequence[tuple[int | None, str]],
    calibration: Calibration,
    axis: str,
) -> alt.LayerChart | alt.FacetChart:
    """The probability of each slice, the operating point, the abstain band and what is missing."""
    import altair as alt  # here, since the first page can do without and would wait a second
    import pandas as pd

    from covidct.ui import chart_numbers  # noqa: F401 - they follow the language

    rows = pd.DataFrame(
        {
            "slice": [one.case.number for one in judged],
            "probability": [one.prediction.probability for one in judged],
            "decision": [_(one.prediction.decision) for one in judged],
            "opaque": [one.opacities.share_of_lung for one in judged],
        }
    )
    rest = pd.DataFrame(missing, columns=["slice", "reason"])
    last = len(judged) + len(missing) + 0.5
    x = alt.X(
        "slice:Q",
        title=axis,
        scale=alt.Scale(domain=[0.5, last], nice=False),
        axis=alt.Axis(tickMinStep=1, format="d", grid=False),
    )
    y = alt.Y(
        "probability:Q",
        title=_("Probability of COVID-19"),
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
    )
    low, high = calibration.abstain_band
    band = (
        alt.Chart(pd.DataFrame({"low": [low], "high": [high]}))
        .mark_rect(color=_QUIET, opacity=0.18)
        .encode(y="low:Q", y2="high:Q")
    )
    point = (
        alt.Chart(pd.DataFrame({"y": [calibration.operating_point]}))
        .mark_rule(color=_QUIET, strokeDash=[5, 4])
        .encode(y="y:Q")
    )
    threshold = calibration.operating_point
    said = _("operating point {operating_point}", operating_point=percent(threshold))
    named = [_named(said, threshold, alt.datum(last), align="right")]
    if high > low:
        said = _(uncertain_from_to(calibration.abstain_band))
        named.append(_named(said, low, alt.datum(0.5), align="left"))
    opaque = (
        alt.Chart(rows)
        .mark_bar(color=_OPACITY, stroke=_EDGE, strokeWidth=0.75, size=_BAR)
        .encode(
            x=x,
            y="opaque:Q",
            tooltip=[
                alt.Tooltip("slice:Q", title=_("Slice")),
                alt.Tooltip("opaque:Q", title=_("Opaque lung"), format=".0%"),
            ],
        )
    )
    line = alt.Chart(rows).mark_line(color=_QUIET, strokeWidth=1).encode(x=x, y=y)
    decision = alt.Color(
        "decision:N",
        title=None,
        scale=alt.Scale(
            domain=[*map(_, _COLOURS), _("Opaque lung")], range=[*_COLOURS.values(), _OPACITY]
        ),
        legend=alt.Legend(orient="top"),
    )
    points = (
        alt.Chart(rows)
        .mark_circle(size=60, opacity=1)
        .encode(
            x=x,
            y=y,
            color=decision,
            tooltip=[
                alt.Tooltip("slice:Q", title=_("Slice")),
                alt.Tooltip("probability:Q", title=_("Probability"), format=".0%"),
                alt.Tooltip("decision:N", title=_("Decision")),
            ],
        )
    )
    not_judged = (
        alt.Chart(rest)
        .mark_tick(color=_QUIET, thickness=2)
        .encode(
            x=x,
            y=alt.datum(0),
            tooltip=[
                alt.Tooltip("slice:Q", title=_("Slice")),
                alt.Tooltip("reason:N", title=_("Not classified")),
            ],
        )
    )
    pressed = alt.selection_point(name=_PRESSED, fields=["slice"], on="click", nearest=True)
    layers = [band, opaque, point, *named, line, points.add_params(pressed)]
    if missing:
        layers.append(not_judged)
    return alt.layer(*layers).properties(
        height=_HEIGHT, description=_("Probability of COVID-19 of each slice")
    )
