"""What a visitor does to the server's data, runs and models, and what it was refused for."""

from collections.abc import Callable

import streamlit as st

from covidct.errors import CovidCTError
from covidct.jobs.status import why_it_failed
from covidct.ui import access
from covidct.ui.strings import _
from covidct.ui.widgets import callout

_REFUSED = "action refused"


def attempt(action: Callable, *arguments: object) -> None:
    """Do something that needs the role; what was refused is said by :func:`show_refusal`."""
    try:
        access.require_role()
        action(*arguments)
    except (CovidCTError, OSError) as error:
        st.session_state[_REFUSED] = why_it_failed(error)


def show_refusal() -> None:
    """What the last action was refused for, once."""
    if refused := st.session_state.pop(_REFUSED, None):
        callout(_("That was not done."), _(refused), tone="stop")
