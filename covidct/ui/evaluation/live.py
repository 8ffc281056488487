"""An evaluation as it goes: state, progress, log; redrawn each second while it is live."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from covidct.evaluation import jobs
from covidct.jobs.status import LOG_FILE, JobStatus
from covidct.messages import N_
from covidct.ui import access
from covidct.ui.shared.attempts import attempt, show_refusal
from covidct.ui.strings import _, literal
from covidct.ui.training import words
from covidct.ui.training.live import log_tail

STATES = {
    **words.STATES,
    "queued": N_("Waiting"),
    "running": N_("In progress"),
    "stopping": N_("Cancelling"),
    "stopped": N_("Cancelled"),
    jobs.INTERRUPTED: N_("Interrupted"),
}
_EVERY = 1.0  # seconds


def show(folder: Path) -> None:
    """Draw the state; the whole page is drawn again when results come or the process ends."""
    status = jobs.read_status(folder)
    every = _EVERY if status.is_live else None
    st.fragment(_draw, run_every=every)(folder, status.is_live, jobs.has_results(folder))


def _draw(folder: Path, live: bool, results: bool) -> None:
    status = jobs.read_status(folder)
    if (live, results) != (status.is_live, jobs.has_results(folder)):
        st.rerun()
    if status.state == "finished":
        return
    _head(folder, status)
    if status.is_live:
        share = status.batch / status.batches if status.batches else 0.0
        st.progress(share, words.preparation(status.message, status.batch, status.batches))
    with st.expander(_("Log"), key=f"log {folder.name}"):
        st.code(log_tail(folder / LOG_FILE) or _("Nothing yet."), language=None)


def _head(folder: Path, status: JobStatus) -> None:
    state, action = st.columns([4, 1], vertical_alignment="center")
    live = " cv-live" if status.is_live else ""
    said = words.where(status) if status.is_live else _(status.message)
    tone = "failed" if status.state == jobs.INTERRUPTED else status.state
    message = f"<span>{literal(said)}</span>" if said else ""
    state.html(
        f'<p class="cv-state cv-is-{tone}{live}">'
        f"<strong>{literal(_(STATES[status.state]))}</strong>{message}</p>"
    )
    if status.is_live and access.may_change():
        action.button(
            _("Cancel"),
            icon=":material/stop:",
            width="stretch",
            disabled=status.state == "stopping",
            on_click=attempt,
            args=(jobs.cancel, folder),
        )
    show_refusal()
