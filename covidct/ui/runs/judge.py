"""A run judged: figures, confusion matrix, ROC, the slices behind them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from covidct.errors import DatasetError
from covidct.evaluation.review import Review, read_review
from covidct.training.run_folder import read_settings
from covidct.ui.runs import charts, gallery, promote, words
from covidct.ui.widgets import callout, caption

_MISTAKES = "mistakes"
_CELLS = {
    "found": (True, True, "COVID-19 slices called Positive"),
    "missed": (True, False, "COVID-19 slices called Negative"),
    "false alarms": (False, True, "Other slices called Positive"),
    "cleared": (False, False, "Other slices called Negative"),
}


def show(run: Path) -> None:
    """Draw the judgement of a run that left a model."""
    try:
        review = read_review(run)
    except DatasetError as error:
        callout("There is nothing to judge yet.", str(error), tone="note")
        return
    st.subheader("Judge it", anchor=False)
    patients = words.count(review.figures["patients"], "patient")
    st.html(
        f'<p class="cv-hint">{words.count(len(review.slices), "validation slice")} of {patients}. '
        "The epoch and the operating point were chosen on them, so the figures flatter.</p>"
    )
    comparison = promote.beside_current(run, review)
    matrix, curve = st.columns([5, 6], gap="large")
    with matrix:
        chosen = _confusion(run, review)
    with curve:
        _roc(review, comparison)
    _slices(run, review, chosen)


def _confusion(run: Path, review: Review) -> str:
    """The four cells as buttons; which one is open, or the mistakes."""
    key = f"cell {run.name}"
    chosen = st.session_state.setdefault(key, _MISTAKES)
    st.html('<h3 class="cv-label">Confusion matrix: press a cell to see its slices</h3>')
    with st.container(key="confusion", gap="xsmall"):
        heads = st.columns([2, 3, 3], wrap=False, gap="xsmall")
        heads[1].html('<p class="cv-matrix-head">Called Positive</p>')
        heads[2].html('<p class="cv-matrix-head">Called Negative</p>')
        for title, pair in (
            ("COVID-19", ("found", "missed")),
            ("Other", ("false alarms", "cleared")),
        ):
            row = st.columns([2, 3, 3], wrap=False, gap="xsmall", vertical_alignment="center")
            row[0].html(f'<p class="cv-matrix-side">{title}</p>')
            for place, name in zip(row[1:], pair, strict=True):
                covid, positive, _ = _CELLS[name]
                place.button(
                    f"**{len(review.cell(covid, positive))}** {name}",
                    key=f"cell {'right' if covid == positive else 'wrong'} {name}",
                    type="primary" if chosen == name else "secondary",
                    width="stretch",
                    on_click=st.session_state.update,
                    args=({key: name},),
                )
    wrong = len(review.mistakes())
    st.button(
        f"All {words.count(wrong, 'mistake')}, worst first",
        type="primary" if chosen == _MISTAKES else "secondary",
        width="stretch",
        disabled=not wrong,
        on_click=st.session_state.update,
        args=({key: _MISTAKES},),
    )
    return chosen


def _roc(review: Review, comparison: object) -> None:
    curves, points = {"This run": review.roc()}, {"This run": review.at_operating_point()}
    st.altair_chart(charts.roc(curves, points), key="roc", alt="ROC curve with the operating point")
    caption("Diamonds: where each model’s operating point puts it. Grey: chance.")


def _slices(run: Path, review: Review, chosen: str) -> None:
    if chosen == _MISTAKES:
        title, slices = "Mistakes, the most confident first", review.mistakes()
    else:
        covid, positive, title = _CELLS[chosen]
        slices = review.cell(covid, positive)
    st.html(f'<h3 class="cv-section">{title}</h3>')
    if not slices:
        st.html('<p class="cv-hint">None.</p>')
        return
    data = Path(read_settings(run)["data"])
    gallery.show(slices, data, run, f"{run.name} {chosen}")
