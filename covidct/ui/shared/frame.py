"""What surrounds every page: the style sheet, the menu and the research-use notice."""

from pathlib import Path

import streamlit as st

from covidct.reports.words import NO_DECISION, RESEARCH_USE
from covidct.ui.shared.choose_language import choose_language, remember_language
from covidct.ui.shared.component import component
from covidct.ui.strings import _, literal

STYLE_SHEET = Path(__file__).parents[1] / "assets" / "style.css"


def show() -> None:
    """Style the page and pin the notice to the lower edge of the window."""
    st.html(STYLE_SHEET)
    choose_language()
    with st.container(key="menu"):
        component("menu")(height=1)
    with st.bottom:
        research_use, no_decision = literal(_(RESEARCH_USE)), literal(_(NO_DECISION))
        st.html(
            f'<p class="cv-notice" role="note"><strong>{research_use}</strong> {no_decision}</p>'
        )
        remember_language()


def carry_theme_into_dialog() -> None:
    """Tell a dialog whether it is dark, since Streamlit puts it outside of what knows that."""
    if scheme := st.context.theme.type:
        st.html(f"<style>[role=dialog] {{ color-scheme: {scheme}; }}</style>")
