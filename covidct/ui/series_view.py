"""A series on the page: its verdict, its probabilities as a chart, the slices to look at first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from covidct.imaging.series import SetAside
from covidct.reports.words import series_sentence
from covidct.ui import texts
from covidct.ui.examine import Case, Outcome
from covidct.ui.runs import words
from covidct.ui.uploads import SeriesOnPage
from covidct.ui.widgets import callout

if TYPE_CHECKING:
    import altair as alt

    from covidct.inference.calibration import Calibration

_MOST, _THUMBNAIL = 5, 220
_COLOURS = {"Positive": "#c8693a", "Negative": "#2a8fa5", "Uncertain": "#b08a2e"}
_QUIET = "#7f9097"
_HEIGHT = 220


def show(
    series: SeriesOnPage,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    calibration: Calibration,
) -> int:
    """Draw the series; the position in it of the slice to show.

    Args:
        series: its notes.
        cases: its slices, in order.
        outcomes: theirs.
        calibration: of the model in use.
    """
    from covidct.inference.series_verdict import series_prediction

    judged = [number for number, outcome in enumerate(outcomes) if outcome.prediction]
    if not judged:
        callout("No slice of this series was classified.", outcomes[0].error, tone="stop")
        return _slider(len(cases), 0, _axis(cases))
    predictions = [outcomes[number].prediction for number in judged]
    verdict, position = series_prediction(predictions, calibration)
    title, chart = st.columns([5, 8], gap="large")
    with title:
        st.html(
            f'<div class="cv-verdict cv-{verdict.decision.lower()}">'
            f'<p class="cv-decision">{verdict.decision}</p>'
            f"<p>{series_sentence(verdict, judged[position] + 1)}</p></div>"
        )
        st.html(f'<p class="cv-hint">{_counts(outcomes)}</p>')
        for note in series.notes:
            callout(note, tone="note")
    axis = _axis(cases)
    chart.altair_chart(_chart(judged, outcomes, calibration, axis), width="stretch")
    _suspicious(judged, cases, outcomes)
    return _slider(len(cases), judged[position], axis)


def show_set_aside(set_aside: Sequence[SetAside]) -> None:
    """What belongs to series and is no slice of one, and why; nothing where there is none."""
    if not set_aside:
        return
    with st.expander(f"{words.count(len(set_aside), 'picture')} set aside", type="compact"):
        st.dataframe(
            {
                "File": [left.place.file for left in set_aside],
                "Reason": [left.reason for left in set_aside],
            },
            hide_index=True,
        )


def _axis(cases: Sequence[Case]) -> str:
    """What the numbers of the slices mean; without positions nobody knows where the head is."""
    known = all(case.place.position_mm is not None for case in cases)
    return "Slice, from the feet to the head" if known else "Slice"


def _slider(count: int, first: int, axis: str) -> int:
    if not 1 <= st.session_state.get("series_slice", 0) <= count:
        st.session_state["series_slice"] = first + 1
    return st.slider(axis, 1, count, key="series_slice") - 1


def _counts(outcomes: Sequence[Outcome]) -> str:
    judged = [outcome.prediction for outcome in outcomes if outcome.prediction]
    words = [
        f"{sum(prediction.decision == decision for prediction in judged)} {decision}"
        for decision in _COLOURS
    ]
    words.append(f"{len(outcomes) - len(judged)} not classified")
    return f"{len(outcomes)} slices: {', '.join(words)}."


def _suspicious(judged: Sequence[int], cases: Sequence[Case], outcomes: Sequence[Outcome]) -> None:
    """The slices of the highest probability, each to be opened by a press."""
    ranked = sorted(judged, key=lambda number: -outcomes[number].prediction.probability)[:_MOST]
    st.html('<h3 class="cv-label">Most suspicious slices first</h3>')
    columns = st.columns(_MOST, gap="small")
    for column, number in zip(columns, ranked, strict=False):
        column.image(
            cases[number].read().at_most(_THUMBNAIL).pixels, width="stretch", output_format="PNG"
        )
        column.button(
            f"Slice {number + 1}, {texts.percent(outcomes[number].prediction.probability)}",
            key=f"suspicious {number}",
            width="stretch",
            on_click=st.session_state.update,
            args=({"series_slice": number + 1},),
        )


def _chart(
    judged: Sequence[int], outcomes: Sequence[Outcome], calibration: Calibration, axis: str
) -> alt.LayerChart:
    """The probability of each slice, the operating point, the abstain band and what is missing."""
    import altair as alt  # here, since the first page can do without and would wait a second
    import pandas as pd

    rows = pd.DataFrame(
        {
            "slice": [number + 1 for number in judged],
            "probability": [outcomes[number].prediction.probability for number in judged],
            "decision": [outcomes[number].prediction.decision for number in judged],
        }
    )
    rest = pd.DataFrame(
        [(n + 1, o.error) for n, o in enumerate(outcomes) if not o.prediction],
        columns=["slice", "reason"],
    )
    x = alt.X(
        "slice:Q",
        title=axis,
        scale=alt.Scale(domain=[0.5, len(outcomes) + 0.5], nice=False),
        axis=alt.Axis(tickMinStep=1, format="d", grid=False),
    )
    y = alt.Y(
        "probability:Q",
        title="Probability of COVID-19",
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
    line = alt.Chart(rows).mark_line(color=_QUIET, strokeWidth=1).encode(x=x, y=y)
    decision = alt.Color(
        "decision:N",
        title=None,
        scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())),
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
                alt.Tooltip("slice:Q", title="Slice"),
                alt.Tooltip("probability:Q", title="Probability", format=".0%"),
                alt.Tooltip("decision:N", title="Decision"),
            ],
        )
    )
    missing = (
        alt.Chart(rest)
        .mark_tick(color=_QUIET, thickness=2)
        .encode(
            x=x,
            y=alt.datum(0),
            tooltip=[
                alt.Tooltip("slice:Q", title="Slice"),
                alt.Tooltip("reason:N", title="Not classified"),
            ],
        )
    )
    return alt.layer(band, point, line, points, missing).properties(height=_HEIGHT)
