"""What surrounds every page: the style sheet and the research-use notice."""

from pathlib import Path

import streamlit as st

from covidct.ui import strings

STYLE_SHEET = Path(__file__).parents[1] / "assets" / "style.css"


def show() -> None:
    """Style the page and pin the notice to the lower edge of the window."""
    st.html(STYLE_SHEET)
    with st.bottom:
        st.html(f'<p class="cv-notice" role="note">{strings.NOTICE}</p>')


def carry_theme_into_dialog() -> None:
    """Tell a dialog whether it is dark, since Streamlit puts it outside of what knows that."""
    if scheme := st.context.theme.type:
        st.html(f"<style>[role=dialog] {{ color-scheme: {scheme}; }}</style>")
