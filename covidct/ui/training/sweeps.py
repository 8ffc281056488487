"""The values of a sweep beside each other, as far as its folds have been judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from covidct.messages import number
from covidct.training.sweep import Sweep, list_sweeps
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal
from covidct.ui.training import charts, fields, words
from covidct.ui.widgets import caption, hint

if TYPE_CHECKING:
    from covidct.evaluation.sweeps import Compared

_CHOSEN = "sweep on show"
_FIGURES = ("roc_auc", "sensitivity", "specificity")


def show() -> None:
    """Choose a sweep and draw it; nothing where there is none."""
    sweeps = {sweep.name: sweep for sweep in list_sweeps()}
    if not sweeps:
        return
    if st.session_state.get(_CHOSEN) not in sweeps:
        st.session_state[_CHOSEN] = next(iter(sweeps))
    name = st.selectbox(_("Sweep"), list(sweeps), key=_CHOSEN, persist_state="session")
    with st.spinner(_("Comparing the values…")):
        from covidct.evaluation.sweeps import compare_values

        rows = compare_values(sweeps[name])
    figures = [row.figures for row in rows if row.figures]
    if figures:
        values = [_value(sweeps[name], row.value) for row in rows]
        st.altair_chart(
            charts.swept(list(zip(values, figures, strict=True))),
            key="swept",
            alt=_("ROC AUC of each value with its 95 % interval"),
        )
    st.html(_table(sweeps[name], rows))
    if figures:
        caption(
            _(
                "Out-of-fold verdicts of {patients} patients, {slices} slices that every value has "
                "been judged on. Intervals are 95 %, by a bootstrap over patients, and paired for "
                "differences. The best of several values flatters: try it on other patients.",
                patients=figures[0]["patients"],
                slices=figures[0]["n"],
            )
        )
    else:
        hint(_("Figures come once every value has been judged on the same fold."))


def _value(sweep: Sweep, value: Any) -> str:  # noqa: ANN401 - whatever a setting may be
    options = fields.CHOICES.get(sweep.setting, {})
    return _(options[value]) if value in options else words.setting(value)


def _table(sweep: Sweep, rows: tuple[Compared, ...]) -> str:
    field = fields.FIELDS.get(sweep.setting)
    titles = (
        _(field.title) if field else sweep.setting,
        *(_(words.FIGURES[name]) for name in _FIGURES),
        _("Difference in AUC to the first"),
        _("Folds judged"),
    )
    cells = [
        (
            literal(_value(sweep, row.value)),
            *(words.figure(row.figures, name) if row.figures else "" for name in _FIGURES),
            _difference(row),
            literal(_done(row, sweep.folds)),
        )
        for row in rows
    ]
    return table(titles, cells)


def _done(row: Compared, folds: int) -> str:
    return _("{done} of {folds}", done=row.done, folds=folds)


def _difference(row: Compared) -> str:
    """As HTML."""
    if row.difference is None or row.difference_ci95 is None:
        return ""
    low, high = row.difference_ci95
    between = _("{low:+.3f} to {high:+.3f}", low=low, high=high)
    return f"{literal(_(number(row.difference, '+.3f')))} <small>{literal(between)}</small>"
