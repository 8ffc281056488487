"""The Evaluation page: how good a model is on labelled slices, and what it goes by."""

from __future__ import annotations

import streamlit as st

from covidct.errors import CovidCTError
from covidct.evaluation import jobs
from covidct.messages import N_
from covidct.ui import access, strings
from covidct.ui.evaluation import choose, new_evaluation, opacities
from covidct.ui.strings import _, literal
from covidct.ui.widgets import callout

VIEWS = (N_("Results"), N_("Opacities"), N_("New evaluation"))
_VIEW, _CHOSEN, _STARTED = "results view", "evaluation", "evaluation just started"


def page() -> None:
    """Title, the choice of a view, the view."""
    st.title(_(strings.EVALUATION_TITLE), anchor=False)
    st.html(f'<p class="cv-lead">{literal(_(strings.EVALUATION_LEAD))}</p>')
    _turn_to_what_is_going_on()
    view = st.segmented_control(
        _("View"),
        VIEWS,
        format_func=_,
        key=_VIEW,
        required=True,
        label_visibility="collapsed",
        width="stretch",
    )
    try:
        if view == "Results":
            choose.show(_CHOSEN)
        elif view == "Opacities":
            opacities.show()
        else:
            access.require_role()
            if started := new_evaluation.show():
                st.session_state[_STARTED] = str(started)
                st.rerun()
    except CovidCTError as error:
        callout(_("This cannot be shown."), _(error.message), tone="stop")


def _turn_to_what_is_going_on() -> None:
    """After a start, show what was started; a new visitor sees results where there are any."""
    if started := st.session_state.pop(_STARTED, None):
        st.session_state.update({_VIEW: "Results", _CHOSEN: started})
    elif _VIEW not in st.session_state:
        some = jobs.list_evaluations() or jobs.shipped_evaluations()
        st.session_state[_VIEW] = "Results" if some else "New evaluation"
