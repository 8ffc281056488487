"""The view of results: choose an evaluation, see it go, see what it came to."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from covidct.errors import DatasetError
from covidct.evaluation import jobs
from covidct.evaluation.request import read_request
from covidct.ui import access
from covidct.ui.evaluation import live, one_result
from covidct.ui.evaluation.download import offer_zip
from covidct.ui.shared.attempts import attempt, show_refusal
from covidct.ui.strings import _
from covidct.ui.widgets import hint


def show(chosen: str) -> None:
    """Draw the view.

    Args:
        chosen: key of the session state that names the evaluation on show.
    """
    folders = {str(f): f for f in (*jobs.list_evaluations(), *jobs.shipped_evaluations())}
    if not folders:
        hint(_("No results yet. Make some under “New evaluation”."))
        show_refusal()
        return
    if st.session_state.get(chosen) not in folders:
        going = jobs.live_evaluation()
        st.session_state[chosen] = str(going) if going else next(iter(folders))
    choice, download, remove = st.columns([6, 2, 2], gap="small", vertical_alignment="bottom")
    name = choice.selectbox(
        _("Evaluation"),
        list(folders),
        key=chosen,
        format_func=lambda name: _option(folders[name]),
        persist_state="session",
    )
    folder = folders[name]
    if jobs.has_results(folder):
        with download:
            offer_zip(folder)
    deletable = folder in jobs.list_evaluations() and not jobs.read_status(folder).is_live
    if deletable and access.may_change():
        with remove:
            _offer_to_delete(folder)
    live.show(folder)
    if jobs.has_results(folder):
        one_result.show(folder)


def _option(folder: Path) -> str:
    """An evaluation in the list, without what changes while it is on show."""
    try:
        request = read_request(folder)
    except DatasetError:
        return folder.name
    when = _("as shipped") if folder in jobs.shipped_evaluations() else _started(folder)
    return _(
        "{model} on {data}, {split} · {when}",
        model=request.model.name,
        data=request.data.name,
        split=request.split,
        when=when,
    )


def _started(folder: Path) -> str:
    """The beginning of the folder's name as "2026-11-03 10:02:11 UTC"."""
    day, time, *_ = folder.name.split(" ")
    return f"{day} {time.replace('.', ':')} UTC"


def _offer_to_delete(folder: Path) -> None:
    with st.popover(_("Delete"), icon=":material/delete:", width="stretch"):
        st.markdown(_("The results of this evaluation go for good; model and data stay."))
        st.button(
            _("Delete these results"),
            type="primary",
            key=f"delete {folder.name}",
            on_click=attempt,
            args=(jobs.delete, folder),
        )
