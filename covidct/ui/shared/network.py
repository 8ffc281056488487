"""The network behind the pages: loaded once a server, after the page is painted."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from covidct.errors import ModelError
from covidct.inference.promotion import current_model
from covidct.messages import N_, ngettext
from covidct.ui import strings
from covidct.ui.strings import _, literal, percent
from covidct.ui.widgets import callout

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard
    from covidct.inference.classifier import Classifier

_LONG = 6  # facts that are shown without being asked for


def require_classifier() -> Classifier:
    """The model in use; where it cannot be had, say why and end the page here."""
    try:
        with st.spinner(_(strings.LOADING)):
            return open_classifier(current_model())
    except ModelError as error:
        callout(_(strings.NO_MODEL), _(error.message), tone="stop")
        st.stop()


def open_classifier(folder: Path) -> Classifier:
    """The model in a folder, opened once a server for as long as it is the same model.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    from covidct.inference.card import read_card

    return _load(folder, read_card(folder).model_id)


@st.cache_resource(show_spinner=False, max_entries=3)
def _load(folder: Path, model_id: str) -> Classifier:
    """Open a model, and spare the server what Streamlit does after each run of a page.

    It collects all garbage: walking the objects of all modules takes 0.1 s, in which no thread of
    the server runs. Loading the next model gives back what became garbage of the ones before.
    """
    from covidct.inference.classifier import Classifier

    gc.unfreeze()
    classifier = Classifier.open(folder)
    gc.collect()
    gc.freeze()
    return classifier


def give_freed_memory_back() -> None:
    """To the system, where the C library is glibc, which keeps most of what is freed."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def show_about(card: ModelCard) -> None:
    """The model's name and, on demand, its card."""
    facts = {
        N_("model"): card.model_id,
        N_("network"): _(
            "{backbone}, {columns} × {rows} pixels",
            backbone=card.backbone,
            columns=card.image_size[1],
            rows=card.image_size[0],
        ),
        N_("operating point"): percent(card.calibration.operating_point),
        **card.about,
    }
    model = _("Model {model_id}", model_id=card.model_id)
    st.html(f'<p class="cv-footer">{literal(model)}</p>')
    with st.expander(_("About this model"), type="compact"):
        st.html(f'<div class="cv-card">{_definitions(facts)}</div>')


def _definitions(facts: dict[str, Any]) -> str:
    """Nested facts as an HTML definition list, long ones folded."""
    rows = (f"<dt>{_term(name)}</dt><dd>{_fact(value)}</dd>" for name, value in facts.items())
    return f"<dl>{''.join(rows)}</dl>"


def _term(name: str) -> str:
    words = literal(_(name.replace("_", " ")))
    return words[:1].upper() + words[1:]


def _fact(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    match value:
        case dict() if len(value) > _LONG:
            entries = _(ngettext("{count} entry", "{count} entries", len(value)))
            return f"<details><summary>{literal(entries)}</summary>{_definitions(value)}</details>"
        case dict():
            return _definitions(value)
        case list() | tuple():
            return ", ".join(map(_fact, value))
        case bool():
            return literal(_("yes") if value else _("no"))
        case None:
            return literal(_("not set"))
        case float():
            return f"{value:.4g}"
        case other:
            return literal(str(other))
