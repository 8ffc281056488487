"""The view of one run: choose it, see it go, judge it, keep or drop it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from covidct.errors import ConfigError, CovidCTError
from covidct.evaluation.results import is_judged
from covidct.quota import MEGABYTE, RUNS, bytes_in
from covidct.training import jobs
from covidct.training.progress import read_status
from covidct.ui import access
from covidct.ui.shared.attempts import show_refusal
from covidct.ui.strings import _
from covidct.ui.training import asked_for, judge, live, manage, waiting, words
from covidct.ui.widgets import callout, hint

_FRESH = 10  # seconds for which what runs take is not counted again


def show(chosen_run: str) -> None:
    """Draw the view.

    Args:
        chosen_run: key of the session state that names the run on show.
    """
    runs = {run.name: run for run in jobs.list_runs()}
    if not runs:
        hint(_("No run yet. Start one under “New run”."))
        show_refusal()
        return
    if st.session_state.get(chosen_run) not in runs:
        going = jobs.live_run()
        st.session_state[chosen_run] = going.name if going else next(iter(runs))
    name = st.selectbox(
        _("Run"),
        list(runs),
        key=chosen_run,
        format_func=lambda name: _option(runs[name]),
        persist_state="session",
    )
    _room()
    waiting.show()
    _one(runs[name], chosen_run)


def _room() -> None:
    """What runs take of the disk and what they may, or why nobody knows that."""
    try:
        allowed = RUNS.allowed()
    except ConfigError as error:
        callout(_(error.message), tone="caution")
        return
    hint(
        _(
            "All runs together take {taken:,} MB of the disk; they may take {allowed:,} MB.",
            taken=_taken(RUNS.folder()) // MEGABYTE,
            allowed=allowed // MEGABYTE,
        )
    )


@st.cache_data(ttl=_FRESH, max_entries=1, show_spinner=False)
def _taken(folder: Path) -> int:
    """Bytes that the folder takes; of many runs, counting them at each drawing would be felt."""
    return bytes_in(folder)


def _option(run: Path) -> str:
    status = read_status(run)
    return words.run_option(run.name, status.state, status.is_live)


def _one(run: Path, chosen_run: str) -> None:
    is_live = read_status(run).is_live
    live.show(run)
    asked_for.show(run)
    judgement = st.container()
    if access.may_change():
        manage.show(run, is_live, chosen_run)
    if not is_live and is_judged(run):
        with judgement:
            try:
                judge.show(run)
            except CovidCTError as error:
                callout(
                    _("The validation of this run cannot be shown."), _(error.message), tone="stop"
                )
