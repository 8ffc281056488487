"""The network behind the pages: loaded once a server, after the page is painted."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from covidct.errors import ModelError
from covidct.inference.promotion import current_model
from covidct.ui import strings
from covidct.ui.strings import _
from covidct.ui.widgets import callout

if TYPE_CHECKING:
    from covidct.inference.classifier import Classifier


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
