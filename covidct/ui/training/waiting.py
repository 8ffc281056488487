"""The runs that wait for their turn: what comes next, in an order that can be changed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from covidct.messages import ngettext
from covidct.training import jobs, queue
from covidct.ui import access
from covidct.ui.shared.attempts import attempt
from covidct.ui.strings import _, literal
from covidct.ui.widgets import hint, label

_EVERY = 3.0  # seconds
_SHOWN = 8


def show() -> None:
    """Draw the queue, where there is one; it follows what other servers and processes do to it."""
    if waiting := queue.queued_runs():
        st.fragment(_draw, run_every=_EVERY)(waiting)


def _draw(drawn: tuple[Path, ...]) -> None:
    queue.advance()  # where the process that would do so was killed
    waiting = queue.queued_runs()
    if waiting != drawn:
        st.rerun()
    title = ngettext(
        "{count} run waits for its turn", "{count} runs wait for their turn", len(drawn)
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        label(_(title))
        if len(waiting) > 1 and access.may_change():
            st.button(
                _("Take all out"),
                icon=":material/clear_all:",
                type="tertiary",
                on_click=attempt,
                args=(queue.cancel_all,),
            )
    for place, run in enumerate(waiting[:_SHOWN]):
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", key=f"waits {run.name}"
        ):
            st.html(f'<p class="cv-waits">{place + 1}. {literal(run.name)}</p>')
            if access.may_change():
                _actions(run, is_first=place == 0, is_last=place == len(waiting) - 1)
    if (more := len(waiting) - _SHOWN) > 0:
        hint(_(ngettext("{count} more run behind them.", "{count} more runs behind them.", more)))


def _actions(run: Path, is_first: bool, is_last: bool) -> None:
    st.button(
        _("Earlier"),
        key=f"earlier {run.name}",
        icon=":material/arrow_upward:",
        type="tertiary",
        disabled=is_first,
        on_click=attempt,
        args=(queue.move, run, -1),
    )
    st.button(
        _("Later"),
        key=f"later {run.name}",
        icon=":material/arrow_downward:",
        type="tertiary",
        disabled=is_last,
        on_click=attempt,
        args=(queue.move, run, 1),
    )
    st.button(
        _("Take out"),
        key=f"take out {run.name}",
        icon=":material/close:",
        type="tertiary",
        on_click=attempt,
        args=(jobs.stop, run),
    )
