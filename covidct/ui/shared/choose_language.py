"""The choice of the language, which a cookie remembers until the browser is closed."""

import streamlit as st

from covidct.ui import languages
from covidct.ui.shared.component import component
from covidct.ui.strings import _


def choose_language() -> None:
    """Offer the languages."""
    offered = languages.available()
    st.selectbox(
        _("Language"),
        offered,
        index=offered.index(languages.current().name),
        format_func=languages.own_name,
        key=languages.CHOSEN,
        label_visibility="collapsed",
        width=130,
    )


def remember_language() -> None:
    """Tell the browser what language the page is in, and to keep it where it was chosen."""
    current = languages.current()
    if current.name != languages.ENGLISH:
        component("language")(data=current.tag, height=1)
    if current.name != (languages.remembered() or languages.of_browser().name):
        component("remember")(data=f"{languages.COOKIE}={current.name}", height=1)
