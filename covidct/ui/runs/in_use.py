"""The view of the model in use: what it is, which came before it, one press back."""

from __future__ import annotations

import streamlit as st

from covidct.errors import ModelError
from covidct.ui import network
from covidct.ui.runs import live, words
from covidct.ui.texts import literal
from covidct.ui.widgets import callout


def show() -> None:
    """Draw the view."""
    with st.spinner("Reading the model…"):
        from covidct.inference import store  # TensorFlow: seconds
    try:
        card = store.read_card(store.current_model())
    except ModelError as error:
        callout("There is no model in use.", str(error), tone="stop")
        return
    history = store.history()
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.html(
        f'<p class="cv-state cv-is-finished"><strong>{literal(card.model_id)}</strong>'
        "<span>judges every slice on the Diagnose page, from the next one on</span></p>"
    )
    right.button(
        "Roll back",
        icon=":material/undo:",
        width="stretch",
        disabled=not history,
        help="Puts the model back that was in use before.",
        on_click=live.attempt,
        args=(store.rollback,),
    )
    live.show_refusal()
    st.html('<h3 class="cv-section">History</h3>')
    if history:
        st.html(_table(history))
    else:
        st.html('<p class="cv-hint">The shipped model has been in use from the start.</p>')
    network.show_about(card)


def _table(history: tuple) -> str:
    rows = "".join(
        f"<tr><td>{literal(words.when(entry.when))}</td><td>{literal(entry.action)}</td>"
        f"<td>{literal(entry.model_id)}</td><td>{literal(str(entry.source))}</td></tr>"
        for entry in history
    )
    head = "".join(f"<th>{title}</th>" for title in ("When", "What", "Model", "From"))
    return (
        f'<div class="cv-scroll"><table class="cv-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
