"""The Training page: from a user's own slices to a better model in use."""

from __future__ import annotations

import streamlit as st

from covidct.errors import CovidCTError
from covidct.messages import N_
from covidct.training import jobs
from covidct.ui import access, strings
from covidct.ui.shared import close_up
from covidct.ui.strings import _, literal
from covidct.ui.training import actions, compare, in_use, new_run, one_run
from covidct.ui.widgets import callout

VIEWS = (N_("New run"), N_("Runs"), N_("Compare"), N_("Model in use"), N_("Log of actions"))
_VIEW, _RUN, _STARTED = "view", "run", "run just started"


def page() -> None:
    """Title, the choice of a view, the view."""
    close_up.keep_controls()
    st.title(_(strings.TRAINING_TITLE), anchor=False)
    st.html(f'<p class="cv-lead">{literal(_(strings.TRAINING_LEAD))}</p>')
    _turn_to_what_is_going_on()
    view = st.segmented_control(
        _("View"),
        VIEWS,
        format_func=_,
        key=_VIEW,
        required=True,
        label_visibility="collapsed",
        width="stretch",
        bind="query-params",
    )
    try:
        _show(view)
    except CovidCTError as error:
        callout(_("This cannot be shown."), _(error.message), tone="stop")


def _show(view: str | None) -> None:
    match view:
        case "New run":
            access.require_role()
            if run := new_run.show():
                st.session_state[_STARTED] = run.name
                st.rerun()
        case "Runs":
            one_run.show(_RUN)
        case "Compare":
            compare.show()
        case "Model in use":
            in_use.show()
        case "Log of actions":
            actions.show()


def _turn_to_what_is_going_on() -> None:
    """After a start, or for a visitor who comes while a run is live, show that run."""
    if started := st.session_state.pop(_STARTED, None):
        st.session_state.update({_VIEW: "Runs", _RUN: started})
    elif _VIEW not in st.session_state:
        asked = st.query_params.get(_VIEW)
        usual = "Runs" if jobs.live_run() else "New run"
        st.session_state[_VIEW] = asked if asked in VIEWS else usual
