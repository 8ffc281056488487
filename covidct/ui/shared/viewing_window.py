"""The window in which a person looks at Hounsfield units; the network has its own."""

import streamlit as st

from covidct.imaging.dicom.window import LUNG, VIEWING_WINDOWS, Window
from covidct.ui import strings
from covidct.ui.strings import _
from covidct.ui.widgets import caption

_CONTROLS = {"window_centre": LUNG.centre, "window_width": LUNG.width}


def choose() -> Window:
    """A preset, or any centre and width."""
    for control, default in _CONTROLS.items():
        st.session_state.setdefault(control, default)
    at = _current()
    names = [name for name, preset in VIEWING_WINDOWS.items() if preset == at]
    st.session_state["window"] = names[0] if names else None
    presets, centre, width = st.columns([6, 3, 3], gap="medium", vertical_alignment="bottom")
    presets.segmented_control(
        _("Viewing window"),
        VIEWING_WINDOWS,
        format_func=_,
        key="window",
        on_change=_take_preset,
        width="stretch",
    )
    centre.number_input(
        _("Centre, HU"), -1000, 1000, step=10, key="window_centre", persist_state="session"
    )
    width.number_input(
        _("Width, HU"), 10, 4000, step=50, key="window_width", persist_state="session"
    )
    caption(_(strings.VIEWING_ONLY))
    return _current()


def _current() -> Window:
    return Window(st.session_state["window_centre"], st.session_state["window_width"])


def _take_preset() -> None:
    if preset := VIEWING_WINDOWS.get(st.session_state["window"]):
        st.session_state.update(window_centre=preset.centre, window_width=preset.width)
