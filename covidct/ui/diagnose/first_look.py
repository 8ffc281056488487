"""Synthetic slices for people who have no file at hand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from covidct.imaging import CTSlice
from covidct.imaging.formats.png import encode_png
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.series import Place
from covidct.messages import N_
from covidct.ui import strings
from covidct.ui.strings import _, literal

if TYPE_CHECKING:
    from covidct.inference.cases import CaseGroup

SEED = 7
SAMPLES: dict[str, int] = {N_("Healthy"): 0, N_("3 opacities"): 3, N_("8 opacities"): 8}
_THUMBNAIL_SIDE = 320
_CHOSEN = "first_look"


def offer() -> list[CaseGroup]:
    """Offer the synthetic slices; the one that was chosen, if any."""
    text, row = st.columns([5, 8], gap="large", vertical_alignment="center")
    asked, offered = literal(_("No slice at hand?")), literal(_(strings.FIRST_LOOK))
    text.html(f'<div class="cv-offer"><h2>{asked}</h2><p>{offered}</p></div>')
    chosen = st.session_state.get(_CHOSEN)
    places = []
    for column, title in zip(row.container(key="first_look").columns(3), SAMPLES, strict=True):
        places.append(column.empty())
        column.button(
            _(title),
            key=f"sample {title}",
            type="primary" if title == chosen else "secondary",
            width="stretch",
            on_click=st.session_state.update,
            args=({_CHOSEN: title},),
        )
    for place, (title, lesions) in zip(places, SAMPLES.items(), strict=True):
        place.image(
            _thumbnail(lesions),
            width="stretch",
            alt=_("Synthetic CT slice: {title}", title=_(title)),
        )
    return [_group(chosen)] if chosen else []


def _group(title: str) -> CaseGroup:
    from covidct.inference.cases import Case, CaseGroup

    place, lesions = Place(_("Synthetic slice: {title}", title=_(title))), SAMPLES[title]
    case = Case(place, partial(_draw, lesions), content=f"synthetic {SEED} {lesions}")
    return CaseGroup(1, place.file, (case,))


@st.cache_resource(show_spinner=False)
def _draw(lesions: int) -> CTSlice:
    return phantom_slice(SEED, lesions).ct_slice


@st.cache_resource(show_spinner=False)
def _thumbnail(lesions: int) -> bytes:
    return encode_png(_draw(lesions).at_most(_THUMBNAIL_SIDE).pixels)
