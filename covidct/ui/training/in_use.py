"""The view of the model in use: what it is, which came before it, one press back."""

from __future__ import annotations

import streamlit as st

from covidct.errors import ModelError
from covidct.inference import promotion
from covidct.ui.shared import about_model
from covidct.ui.shared.attempts import show_refusal
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal
from covidct.ui.training import promote, words
from covidct.ui.widgets import callout, hint


def show() -> None:
    """Draw the view."""
    try:
        history = promotion.history()
    except ModelError as error:
        callout(_("There is no model in use."), _(error.message), tone="stop")
        return
    try:
        with st.spinner(_("Reading the model…")):
            from covidct.inference.card import read_card

            card = read_card(promotion.current_model())
    except ModelError as error:
        callout(_("The model in use cannot be read."), _(error.message), tone="stop")
        promote.roll_back()
        show_refusal()
        return
    judges = _("judges every slice on the Diagnose page, from the next one on")
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.html(
        f'<p class="cv-state cv-is-finished"><strong>{literal(card.model_id)}</strong>'
        f"<span>{literal(judges)}</span></p>"
    )
    with right:
        promote.roll_back()
    show_refusal()
    title = literal(_("History"))
    st.html(f'<h3 class="cv-section">{title}</h3>')
    if history:
        st.html(_table(history))
    else:
        hint(_("The shipped model has been in use from the start."))
    about_model.show(card)


def _table(history: tuple) -> str:
    shipped = _("shipped")
    rows = [
        (
            literal(words.when(entry.when)),
            literal(_(entry.action).capitalize()),
            literal(entry.model_id),
            literal(entry.source or shipped),
        )
        for entry in history
    ]
    titles = _("When"), _("What"), _("Model"), _("From")
    return table(titles, rows)
