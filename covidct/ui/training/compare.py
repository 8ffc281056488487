"""Several runs beside each other: overlaid curves and the settings they do not share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from covidct.errors import ConfigError, DatasetError
from covidct.evaluation.results import read_review
from covidct.training import jobs
from covidct.training.progress import read_status
from covidct.training.run_folder import MONITORED, kept_epoch, read_metrics, read_settings
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal
from covidct.ui.training import charts, fields, sweeps, words
from covidct.ui.widgets import hint

_CHOSEN, _METRIC = "compared runs", "compared metric"
_AT_MOST = 6


def show() -> None:
    """Sweeps value by value, where there are any; then runs, and where they differ."""
    sweeps.show()
    runs = {run.name: run for run in jobs.list_runs()}
    if len(runs) < 2:
        hint(_("Comes to life with the second run."))
        return
    st.session_state.setdefault(_CHOSEN, list(runs)[:2])
    st.session_state[_CHOSEN] = [name for name in st.session_state[_CHOSEN] if name in runs]
    names = st.multiselect(
        _("Runs"), list(runs), key=_CHOSEN, max_selections=_AT_MOST, persist_state="session"
    )
    metric = st.segmented_control(
        _("Metric"),
        list(charts.TITLES),
        key=_METRIC,
        default="auc",
        required=True,
        format_func=lambda name: _(charts.TITLES[name]),
        persist_state="session",
    )
    if not names:
        return
    chosen = {name: runs[name] for name in names}
    rows = {name: read_metrics(run) for name, run in chosen.items()}
    kept = {name: kept_epoch(run) for name, run in chosen.items()}
    st.altair_chart(
        charts.overlaid(rows, metric, kept),
        key="overlaid",
        alt=_("{metric} on validation slices by epoch, a line a run", metric=charts.TITLES[metric]),
    )
    _table(chosen, rows, kept)


def _table(
    runs: dict[str, Path], rows: dict[str, list[dict[str, float]]], kept: dict[str, int]
) -> None:
    settings = {name: _settings(run) for name, run in runs.items()}
    lines = [(_("State"), {n: _(words.STATES[read_status(r).state]) for n, r in runs.items()})]
    lines.append((_("Epochs run"), {name: str(len(held)) for name, held in rows.items()}))
    aucs = {name: _auc(held, kept[name]) for name, held in rows.items()}
    lines.append((_("Validation AUC of the kept epoch"), aucs))
    judged = {name: _judged(run) for name, run in runs.items()}
    lines.append((_("ROC AUC on validation slices that it did not learn from"), judged))
    lines += [
        (_(title), {name: words.setting(value) for name, value in values.items()})
        for title, values in fields.differences(settings)
    ]
    cells = [[literal(title), *(literal(values[name]) for name in runs)] for title, values in lines]
    title = literal(_("Results, and the settings that differ"))
    st.html(f'<h3 class="cv-section">{title}</h3>')
    st.html(table((_("Result or setting"), *runs), cells))


def _settings(run: Path) -> dict[str, Any]:
    """What a run was asked for; nothing is known of one whose settings are damaged."""
    try:
        return read_settings(run)
    except ConfigError:
        return {}


def _judged(run: Path) -> str:
    try:
        figures = read_review(run).figures
    except DatasetError:
        return _("none yet")
    learnt = figures.get("learnt")
    values = {"auc": figures["roc_auc"], "n": figures["n"]}
    if learnt is None:
        return _("{auc:.3f} ({n:,} slices; what it learnt from is not known)", **values)
    return _("{auc:.3f} ({n:,} slices, {learnt:,} left out)", learnt=learnt, **values)


def _auc(rows: list[dict[str, float]], kept: int) -> str:
    if not kept:
        return _("none yet")
    return _("{auc:.3f} (epoch {kept})", auc=rows[kept - 1][MONITORED], kept=kept)
