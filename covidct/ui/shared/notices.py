"""Notices by the browser when a run has ended, on whatever page its user is by then."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from covidct.ui.shared.component import component
from covidct.ui.strings import _

_ASKED, _TOLD, _SWITCHED = "runs to tell of", "runs told of", "runs to tell of switched"
_EVERY = 3.0  # seconds


def offer(run: Path) -> None:
    """A switch for one run; the browser asks whether it may when it is put on."""
    st.toggle(
        _("Tell me when it ends"),
        value=run in _asked(),
        key=f"tell of {run.name}",
        help=_(
            "By a notice of the browser, while a page of this server is open in it. Browsers allow "
            "that to pages that come by HTTPS or from this computer."
        ),
        on_change=_switch,
        args=(run,),
    )
    if st.session_state.pop(_SWITCHED, False):
        st.rerun()  # of the whole page, which ends with watch()


def watch() -> None:
    """Look after the runs that this session wants to be told of; at the end of every page."""
    if _asked() or _told():
        st.fragment(_tell, run_every=_EVERY if _asked() else None)()


def _tell() -> None:
    from covidct.training.progress import read_status  # here, since it comes with every page

    for run in sorted(_asked()):
        status = read_status(run)
        if status.is_live or status.state == "queued":
            continue
        _asked().discard(run)
        if run.is_dir():  # else it was renamed or deleted
            _told().append({"title": _("A run has ended"), "body": _ended(run.name, status.state)})
    # All of them: the browser may take its time for the first, and tells of each once
    component("notices")(data=list(_told()), key="notices", height=1)


def _ended(name: str, state: str) -> str:
    match state:
        case "finished":
            return _("“{name}” has finished.", name=name)
        case "stopped":
            return _("“{name}” was stopped.", name=name)
        case _:
            return _("“{name}” has failed.", name=name)


def _asked() -> set[Path]:
    return st.session_state.setdefault(_ASKED, set())


def _told() -> list[dict[str, str]]:
    return st.session_state.setdefault(_TOLD, [])


def _switch(run: Path) -> None:
    _asked().symmetric_difference_update({run})
    st.session_state[_SWITCHED] = True
