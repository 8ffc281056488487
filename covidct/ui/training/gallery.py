"""Validation slices behind a figure: thumbnails, and one opened with verdict and heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from covidct.data.classes import class_title
from covidct.errors import CovidCTError
from covidct.evaluation.results import Reviewed, path_of
from covidct.imaging.anatomy.thorax_crop import chest_grid
from covidct.imaging.readers import read_slice
from covidct.imaging.series import Place
from covidct.inference.cases import Case
from covidct.messages import N_, Message
from covidct.ui.shared import close_up, frame, network, slice_view
from covidct.ui.shared.attempts import show_refusal
from covidct.ui.strings import _, literal, percent
from covidct.ui.training import correct, preview
from covidct.ui.widgets import callout, hint, picture

if TYPE_CHECKING:
    from covidct.evaluation.comparison import ComparedSlice

_PAGE = 9
_SIDE = 200
_CARD = 150


def show(
    slices: Sequence[Reviewed],
    data: Path,
    model: Path,
    key: str,
    others: Mapping[tuple[str, str], ComparedSlice],
) -> None:
    """Draw thumbnails, the first ones first, and open the one that is asked for.

    Args:
        slices: in the order to show them.
        data: the data set they are in.
        model: folder of the model that judged them.
        key: sets this gallery apart from others.
        others: what the model in use says of the slices, by class and file name.
    """
    held = f"gallery {key}"
    shown = st.session_state.get(held, _PAGE)
    opened = None
    with st.container(horizontal=True, gap="medium", key=f"{held} row"):
        for number, reviewed in enumerate(slices[:shown]):
            with st.container(width=_CARD, gap="xsmall"):
                thumbnail(path_of(data, reviewed))
                st.html(_verdict(reviewed, others.get(reviewed.identity)))
                correct.tell(data, path_of(data, reviewed))
                if st.button(_("Open"), key=f"open {key} {number}", width="stretch"):
                    opened = reviewed
    if len(slices) > shown:
        st.button(
            _("Show {count:,} more", count=min(_PAGE, len(slices) - shown)),
            key=f"more {key}",
            on_click=st.session_state.update,
            args=({held: shown + _PAGE},),
        )
    if opened:
        open_slice(opened, data, model)


def _verdict(reviewed: Reviewed, other: ComparedSlice | None) -> str:
    theirs = (
        _(
            "Model in use: {label}, {probability}",
            label=Message(other.incumbent_label),
            probability=percent(other.incumbent_probability),
        )
        if other
        else ""
    )
    return (
        f'<p class="cv-card-line">{literal(called(reviewed))}<br>'
        f"<strong>{literal(percent(reviewed.probability))}</strong>"
        f"{'<br>' if theirs else ''}{literal(theirs)}</p>"
    )


def called(reviewed: Reviewed) -> str:
    """What a slice is, and what the model calls it."""
    return _(
        "{class_name}, called {label}",
        class_name=class_title(reviewed.class_name),
        label=Message(reviewed.label),
    )


def open_slice(reviewed: Reviewed, data: Path, model: Path) -> None:
    """The slice with this model's verdict and heat map, as on the Diagnose page."""
    st.dialog(_("Slice"), width="large", on_dismiss="rerun")(_draw_slice)(reviewed, data, model)


def _draw_slice(reviewed: Reviewed, data: Path, model: Path) -> None:
    frame.carry_theme_into_dialog()
    st.html(f'<h2 class="cv-file">{literal(reviewed.file)}</h2>')
    hint(
        _(
            "Labelled {class_name} in the data set, patient or group {patient}",
            class_name=class_title(reviewed.class_name),
            patient=reviewed.patient,
        )
    )
    path = path_of(data, reviewed)
    correct.offer(data, path, "opened")
    show_refusal()
    try:
        with st.spinner(_("Opening the model…")):
            classifier = network.open_classifier(model)
            view = slice_view.open_view(
                Case(Place(reviewed.file), partial(read_slice, path)), classifier
            )
    except (CovidCTError, OSError) as error:
        message = (
            error.message if isinstance(error, CovidCTError) else N_("The file cannot be read.")
        )
        callout(_("This slice cannot be shown."), _(message), tone="stop")
        return
    close_up.show(view, classifier)


def thumbnail(path: Path) -> None:
    """The slice as the network gets it, small; where it cannot be read, that is said."""
    pixels = _pixels(path)
    if pixels is None:
        gone = literal(_("not in the data set any more"))
        st.html(f'<p class="cv-missing">{gone}</p>')
    else:
        picture(pixels, _("Validation slice"))


@st.cache_data(show_spinner=False, max_entries=512)
def _pixels(path: Path) -> np.ndarray | None:
    crops = preview.crops_of_files([path], chest_grid(_SIDE), 1)
    return crops[0][..., 0] if crops else None
