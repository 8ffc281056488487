"""A run as it goes: progress, curves, log; redrawn each second while it is live, else not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from covidct.jobs.status import LOG_FILE
from covidct.training import jobs
from covidct.training.progress import read_status
from covidct.training.run_folder import kept_epoch, read_metrics
from covidct.ui import access, languages
from covidct.ui.shared import notices
from covidct.ui.shared.attempts import attempt, show_refusal
from covidct.ui.strings import _, literal
from covidct.ui.training import charts, words

if TYPE_CHECKING:
    from covidct.jobs.status import JobStatus

_EVERY = 1.0  # seconds
_LOG_TAIL = 8_192  # bytes
_LARGE, _SMALL = ("auc", "loss"), ("accuracy", "sensitivity", "specificity")
_WAITING, _LIVE, _OVER = "waiting", "live", "over"


def show(run: Path) -> None:
    """Draw the run; while it is live or waits a fragment redraws itself, and the page when that
    changes."""
    stage = _stage(read_status(run))
    st.fragment(_draw, run_every=None if stage == _OVER else _EVERY)(run, stage)


def _stage(status: JobStatus) -> str:
    if status.is_live:
        return _LIVE
    return _WAITING if status.state == "queued" else _OVER


def _draw(run: Path, stage: str) -> None:
    status = read_status(run)
    if stage != _stage(status):  # it has begun or ended, or was resumed in this very fragment
        st.rerun()
    rows = read_metrics(run)
    # Places that stay where they are, so that what goes leaves no gap to be redrawn
    head, progress, tell, curves, log = (st.container() for _place in range(5))
    with head:
        _head(run, status)
    if status.is_live:
        with progress:
            _progress(status)
    if stage != _OVER:
        with tell:
            notices.offer(run)
    if rows or status.is_live:
        with curves:
            _curves(rows, status.epochs, kept_epoch(run))
    with log.expander(_("Log"), key=f"log {run.name}"), st.container(height=280, autoscroll=True):
        st.code(log_tail(run / LOG_FILE) or _("Nothing yet."), language=None)


def _head(run: Path, status: JobStatus) -> None:
    """State and what can be done about it."""
    state, action = st.columns([4, 1], vertical_alignment="center")
    live = " cv-live" if status.is_live else ""
    said = words.where(status) if status.is_live else words.without_state(status.message)
    message = f"<span>{literal(said)}</span>" if said else ""
    state.html(
        f'<p class="cv-state cv-is-{status.state}{live}">'
        f"<strong>{literal(_(words.STATES[status.state]))}</strong>{message}</p>"
    )
    if not access.may_change():
        return
    if status.is_live:
        action.button(
            _("Stop the run"),
            icon=":material/stop:",
            width="stretch",
            disabled=status.state == "stopping",
            help=_("Ends after the current batch and keeps the best weights."),
            on_click=attempt,
            args=(jobs.stop, run),
        )
    elif status.state == "queued":
        action.button(
            _("Take it out of the queue"),
            icon=":material/close:",
            width="stretch",
            on_click=attempt,
            args=(jobs.stop, run),
        )
    elif status.state != "finished":
        action.button(
            _("Resume"),
            type="primary",
            icon=":material/resume:",
            width="stretch",
            help=_("Goes on after the last whole epoch, when it is its turn."),
            on_click=attempt,
            args=(jobs.resume, run),
        )
    show_refusal()


def _progress(status: JobStatus) -> None:
    """How far the run and its current epoch have come."""
    share = status.batch / status.batches if status.batches else 0.0
    if status.state == "starting" or status.epoch >= status.epochs:
        st.progress(share, words.preparation(status.message, status.batch, status.batches))
        return
    done = min(1.0, (status.epoch + share) / max(1, status.epochs))
    st.progress(done, words.progress(status.epoch, status.epochs, status.seconds_left))
    doing = words.preparation(status.message, status.batch, status.batches)
    if status.memory_mb:
        size = status.memory_mb / 1024
        doing = _("{doing}, {size:.1f} GB of memory", doing=doing, size=size)
    st.progress(share, doing)


def _curves(rows: list[dict[str, float]], epochs: int, kept: int) -> None:
    lines = {
        "training": _("Training"),
        "validation": _("Validation"),
        "best": _("Epoch whose weights are kept"),
    }
    legend = "".join(f'<i class="cv-line-{n}"></i>{literal(said)}' for n, said in lines.items())
    st.html(f'<p class="cv-legend">{legend}</p>')
    language = languages.current().tag
    for metrics, height in ((_LARGE, 280), (_SMALL, 210)):
        for place, metric in zip(st.columns(len(metrics), gap="medium"), metrics, strict=True):
            place.vega_lite_chart(
                _curve(rows, metric, epochs, kept, height, language),
                width="stretch",
                key=f"curve {metric}",
                alt=_("{metric} by epoch, training and validation", metric=charts.TITLES[metric]),
            )


@st.cache_data(show_spinner=False, max_entries=128)
def _curve(
    rows: list[dict[str, float]], metric: str, epochs: int, kept: int, height: int, language: str
) -> dict[str, Any]:
    """What Vega-Lite draws, made once an epoch and language: Altair takes a tenth of a second."""
    return charts.curve(rows, metric, epochs, kept, height).to_dict()


def log_tail(path: Path) -> str:
    """The end of a log, whole lines, whatever bytes are in it."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _LOG_TAIL))
        text = file.read().decode("utf-8", "replace")
    return text if size <= _LOG_TAIL else text.partition("\n")[2]
