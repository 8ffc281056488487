"""Which slice is open, and the ways to the ones before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from covidct.ui.strings import _, literal

if TYPE_CHECKING:
    from covidct.inference.cases import Case

_SLIDER = "series_slice"
OPEN = "open slice"  # in the session, while other pages are looked at as well


def open_slice(case: Case) -> None:
    """Put a slice on show; for callbacks."""
    st.session_state[OPEN] = _identity(case)


def position(cases: Sequence[Case], first: int = 0) -> int:
    """Where the open slice is among these, or the one to begin with if none of them is open."""
    opened = st.session_state.get(OPEN)
    found = (at for at, case in enumerate(cases) if _identity(case) == opened)
    return next(found, first)


def show(cases: Sequence[Case], at: int, badge: str, along: str = "") -> None:
    """The name of the open slice, and buttons that the arrow keys press.

    Args:
        cases: in the order in which they are walked.
        at: position of the open one.
        badge: what came of it, HTML.
        along: what their numbers are, for a slider; there is none where it is empty.
    """
    with st.container(horizontal=True, vertical_alignment="center", key="walk"):
        st.html(f'<h2 class="cv-file">{literal(cases[at].name)}</h2>')
        st.html(badge, width="content")
        if len(cases) == 1:
            return
        if along:
            if st.session_state.get(_SLIDER) != at + 1:  # or it would jump under whoever moves it
                st.session_state[_SLIDER] = at + 1
            st.slider(along, 1, len(cases), key=_SLIDER, on_change=_open_slid, args=(cases,))
        _step(_("Previous"), "Left", cases, at - 1)
        number = _("{number} of {slices}", number=at + 1, slices=len(cases))
        st.html(f'<p class="cv-caption">{literal(number)}</p>', width="content")
        _step(_("Next"), "Right", cases, at + 1)


def _open_slid(cases: Sequence[Case]) -> None:
    open_slice(cases[st.session_state[_SLIDER] - 1])


def _step(title: str, key: str, cases: Sequence[Case], to: int) -> None:
    exists = 0 <= to < len(cases)
    st.button(
        title,
        key=f"step {key}",
        shortcut=key,
        disabled=not exists,
        on_click=open_slice,
        args=(cases[to],) if exists else None,
    )


def _identity(case: Case) -> tuple[str, str]:
    return case.content, case.name
