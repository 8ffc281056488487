"""The choice of the language, which a cookie remembers until the browser is closed."""

import streamlit as st

from covidct.ui import languages
from covidct.ui.shared.component import component
from covidct.ui.strings import _


def choose_language() -> None:
    """Offer the languages, and tell the browser which one the page is in."""
    current, offered = languages.current(), languages.available()
    chosen = st.selectbox(
        _("Language"),
        offered,
        index=offered.index(current.name),
        format_func=languages.own_name,
        key=languages.CHOSEN,
        label_visibility="collapsed",
        width=120,
    )
    if chosen != languages.ENGLISH:
        component("language")(data=current.tag, height=1)
    if chosen != (languages.remembered() or languages.of_browser().name):
        component("remember")(data=f"{languages.COOKIE}={chosen}", height=1)
