"""The one way in which a slice of the Diagnose page is stored: somebody says so."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from covidct.data.index import UNLABELLED_FOLDER
from covidct.data.kept import is_kept, keep, kept_folder
from covidct.ui import access
from covidct.ui.shared.attempts import attempt, show_refusal
from covidct.ui.strings import _
from covidct.ui.widgets import hint

if TYPE_CHECKING:
    from covidct.inference.cases import Case
    from covidct.ui.shared.slice_view import View


def offer(view: View, together: Sequence[Case]) -> None:
    """A button that stores the slice on show, with the sentence of what is stored and where.

    Args:
        view: the slice.
        together: the slices of its file or series.
    """
    is_drawn = view.case.file is None
    if is_drawn or not access.may_change():
        return
    pixels = view.ct_slice.pixels
    folder = kept_folder() / UNLABELLED_FOLDER
    if is_kept(pixels):
        hint(_("This slice is kept for labelling, in {folder}.", folder=folder))
        return
    with st.popover(_("Keep for labelling"), icon=":material/new_label:", type="tertiary"):
        hint(
            _(
                "Stores the picture of this slice on the server, in {folder}, to be labelled and "
                "learnt from on the Training page, until somebody deletes it there. Its name, its "
                "header and its verdict are not stored; letters within the picture are. Everyone "
                "who may use the Training page sees it.",
                folder=folder,
            )
        )
        st.button(
            _("Store this slice"),
            type="primary",
            on_click=attempt,
            args=(keep, pixels, _of(together)),
        )
    show_refusal()


def _of(together: Sequence[Case]) -> str:
    """A name for the file or series that tells nothing of it."""
    contents = "".join(sorted(case.content for case in together))
    return hashlib.sha256(contents.encode()).hexdigest()[:16]
