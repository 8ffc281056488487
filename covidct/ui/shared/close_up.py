"""One slice in detail: verdict, gauge, pictures, heat map and its controls."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from covidct.imaging.anatomy.gate import OUTSIDE_USE
from covidct.imaging.dicom.window import LUNG
from covidct.reports.words import is_mostly_outside, verdict_sentence
from covidct.ui import strings
from covidct.ui.shared import downloads, slice_view, viewing_window
from covidct.ui.shared.slice_view import View
from covidct.ui.widgets import callout, caption, colour_bar, gauge, picture

if TYPE_CHECKING:
    from covidct.imaging import CTSlice
    from covidct.inference.classifier import Classifier, Prediction
    from covidct.inference.heatmap import HeatMap
    from covidct.inference.judge import Outcome, SeriesJudged

_COLOUR_STEPS = 17
_PICTURE_SIDE = 1024
_CONTROLS = {
    "method": "gradcam-relative",
    "opacity": 50,
    "colormap": "Inferno",
    **viewing_window.CONTROLS,
}


def keep_controls() -> None:
    """Keep what the user set while a page shows no slice; Streamlit drops unseen widgets."""
    for control, default in _CONTROLS.items():
        st.session_state[control] = st.session_state.get(control, default)


@st.fragment
def show(
    view: View,
    classifier: Classifier,
    outcomes: Sequence[Outcome | SeriesJudged] = (),
    notes: Sequence[str] = (),
) -> None:
    """Draw everything; the controls redraw only this part and never ask for a new verdict.

    Args:
        view: the slice.
        classifier: the network.
        outcomes: of all slices on the page, for the downloads; nothing is offered where empty.
        notes: on the series that it is of.
    """
    from covidct.inference.heatmap import COLORMAPS, METHODS
    from covidct.reports.slice_page import SlicePage

    verdict, pictures = st.columns([5, 8], gap="large")
    with verdict:
        if view.outside_use:
            callout(OUTSIDE_USE, f"{view.outside_use} {strings.NO_MEANING}", tone="stop")
        _verdict(view.predicted.prediction, classifier.card.calibration.abstain_band)
    with pictures:
        canvas = st.container()
        first, second, third = st.columns(3, gap="medium")
        method = first.selectbox(
            "Method", METHODS, format_func=lambda name: METHODS[name].title, key="method"
        )
        opacity = second.slider("Opacity", 0, 100, step=5, format="%d%%", key="opacity") / 100
        colormap = third.selectbox("Colours", COLORMAPS, key="colormap")
        waits = METHODS[method].needs_tensorflow and "tensorflow" not in sys.modules
        wait = f" {strings.LOADING_TENSORFLOW}" if waits else ""
        caption(f"{METHODS[method].title}: {METHODS[method].description}{wait}")
        window = LUNG if view.hounsfield is None else viewing_window.choose()
    with canvas:
        heat = _heat_map(view, classifier, method)
        seen = view.seen_in(window)
        _pictures(seen, heat, opacity, colormap)
    with verdict:
        _trust(heat, METHODS[method].title)
        for note in view.ct_slice.notes:
            callout(note, tone="note")
    if not outcomes:
        return
    if view.outside_use:
        downloads.show(outcomes, classifier.card)
        return
    title = f"Case {view.case.group}, slice {view.case.number}"
    page = SlicePage(title, seen, view.predicted.prediction, heat, opacity, colormap)
    downloads.show(outcomes, classifier.card, page, view, notes)


def _heat_map(view: View, classifier: Classifier, method: str) -> HeatMap:
    if view.has_map(method):
        return view.heat_map(classifier, method)
    with st.spinner(strings.DRAWING):
        return view.heat_map(classifier, method)


def _pictures(ct_slice: CTSlice, heat: HeatMap, opacity: float, colormap: str) -> None:
    """The slice as it is and, beside it, under its heat map."""
    from covidct.inference.heatmap import overlay, paint

    rows, columns = ct_slice.shape
    shown = ct_slice.at_most(_PICTURE_SIDE)
    heat = heat.resized(shown.shape)
    plain, covered = st.columns(2, gap="small")
    with plain:
        picture(shown.pixels, "The CT slice as it was read")
        caption(f"The slice, {columns} × {rows} pixels, {ct_slice.source}")
    with covered:
        if heat.is_empty:
            callout(
                "There is no map to show.",
                f"By this method, no place on the slice speaks for {heat.label}.",
                tone="note",
            )
            return
        picture(
            overlay(shown, heat, opacity, colormap),
            f"The CT slice under the heat map for {heat.label}; the map peaks in the "
            f"{slice_view.peak_place(heat.values)} of the picture",
        )
        caption(f"What moved the score towards {heat.label}; not an outline of disease")
        colours = paint(np.linspace(0, 1, _COLOUR_STEPS)[None], colormap)[0]
        colour_bar(colours.tolist(), opacity, "this slice’s own peak")


def _verdict(prediction: Prediction, abstain_band: tuple[float, float]) -> None:
    """The decision in one word, in one sentence, and on the scale."""
    sentence = verdict_sentence(prediction, abstain_band).replace("COVID-19", "COVID&#8209;19")
    st.html(
        f'<div class="cv-verdict cv-{prediction.decision.lower()}">'
        f'<p class="cv-decision">{prediction.decision}</p><p>{sentence}</p></div>'
    )
    gauge(prediction.probability, prediction.operating_point, abstain_band)


def _trust(heat: HeatMap, method: str) -> None:
    """How much of the heat lies where lung disease can be."""
    if heat.is_empty:
        return
    if heat.lung_share is None:
        callout(strings.NO_LUNGS, tone="caution")
        return
    share = strings.percent(heat.lung_share)
    st.html(
        f'<p class="cv-share"><strong>{share}</strong> of the {method} heat lies in the lungs</p>'
    )
    if is_mostly_outside(heat.lung_share):
        callout(strings.OUTSIDE_LUNGS, tone="caution")
