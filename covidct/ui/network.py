"""The network behind the pages: loaded once a server, after the page is painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from covidct.errors import ModelError
from covidct.ui import texts
from covidct.ui.widgets import callout

if TYPE_CHECKING:
    from covidct.inference.classifier import Classifier
    from covidct.inference.store import ModelCard

_LONG = 6  # facts that are shown without being asked for


def require_classifier() -> Classifier:
    """The network; where it cannot be had, say why and end the page here."""
    try:
        with st.spinner(texts.LOADING):
            return _load()
    except ModelError as error:
        callout(texts.NO_MODEL, str(error), tone="stop")
        st.stop()


@st.cache_resource(show_spinner=False)
def _load() -> Classifier:
    from covidct.inference.classifier import Classifier  # TensorFlow: seconds

    return Classifier.load()


def show_about(card: ModelCard) -> None:
    """The model's name and, on demand, its card."""
    facts = {
        "model": card.model_id,
        "network": f"{card.backbone}, {card.image_size[1]} × {card.image_size[0]} pixels",
        "operating point": texts.percent(card.calibration.operating_point),
        **card.about,
    }
    st.html(f'<p class="cv-footer">Model {texts.literal(card.model_id)}</p>')
    with st.expander("About this model", type="compact"):
        st.html(f'<div class="cv-card">{_definitions(facts)}</div>')


def _definitions(facts: dict[str, Any]) -> str:
    """Nested facts as an HTML definition list, long ones folded."""
    rows = (f"<dt>{_term(name)}</dt><dd>{_fact(value)}</dd>" for name, value in facts.items())
    return f"<dl>{''.join(rows)}</dl>"


def _term(name: str) -> str:
    words = texts.literal(name.replace("_", " "))
    return words[:1].upper() + words[1:]


def _fact(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    match value:
        case dict() if len(value) > _LONG:
            return (
                f"<details><summary>{len(value)} entries</summary>{_definitions(value)}</details>"
            )
        case dict():
            return _definitions(value)
        case list() | tuple():
            return ", ".join(map(_fact, value))
        case bool():
            return "yes" if value else "no"
        case None:
            return "not set"
        case float():
            return f"{value:.4g}"
        case _:
            return texts.literal(str(value))
