"""The view of the model in use: what it is, which came before it, one press back."""

from __future__ import annotations

import streamlit as st

from covidct.errors import ModelError
from covidct.inference import promotion
from covidct.ui.shared import network
from covidct.ui.strings import literal
from covidct.ui.training import live, promote, words
from covidct.ui.widgets import callout


def show() -> None:
    """Draw the view."""
    try:
        history = promotion.history()
    except ModelError as error:
        callout("There is no model in use.", str(error), tone="stop")
        return
    try:
        with st.spinner("Reading the model…"):
            from covidct.inference.card import read_card

            card = read_card(promotion.current_model())
    except ModelError as error:
        callout("The model in use cannot be read.", str(error), tone="stop")
        promote.roll_back()
        live.show_refusal()
        return
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.html(
        f'<p class="cv-state cv-is-finished"><strong>{literal(card.model_id)}</strong>'
        "<span>judges every slice on the Diagnose page, from the next one on</span></p>"
    )
    with right:
        promote.roll_back()
    live.show_refusal()
    st.html('<h3 class="cv-section">History</h3>')
    if history:
        st.html(_table(history))
    else:
        st.html('<p class="cv-hint">The shipped model has been in use from the start.</p>')
    network.show_about(card)


def _table(history: tuple) -> str:
    rows = "".join(
        f"<tr><td>{literal(words.when(entry.when))}</td><td>{literal(entry.action.capitalize())}</td>"
        f"<td>{literal(entry.model_id)}</td><td>{literal(entry.source or 'shipped')}</td></tr>"
        for entry in history
    )
    head = "".join(f"<th>{title}</th>" for title in ("When", "What", "Model", "From"))
    return (
        f'<div class="cv-scroll"><table class="cv-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
