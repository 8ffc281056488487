"""One slice in detail: verdict, gauge, pictures, heat map and its controls."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from covidct.imaging.anatomy.gate import OUTSIDE_USE
from covidct.imaging.dicom.window import LUNG
from covidct.messages import N_, Message, joined
from covidct.reports.words import distrust, verdict_sentence
from covidct.ui import strings
from covidct.ui.shared import downloads, slice_view, viewing_window
from covidct.ui.shared.component import component
from covidct.ui.shared.slice_view import View
from covidct.ui.strings import _, literal, percent
from covidct.ui.widgets import callout, caption, class_scale, colour_bar, gauge, picture, tell_whose

if TYPE_CHECKING:
    from covidct.imaging import CTSlice
    from covidct.inference.card import ModelCard
    from covidct.inference.classifier import Classifier, Prediction
    from covidct.inference.heatmap import HeatMap
    from covidct.inference.judge import Outcome, SeriesJudged

_COLOUR_STEPS = 17
_PICTURE_SIDE = 1024
_CONTROLS = {
    "method": "gradcam-relative",
    "opacity": 50,
    "colormap": "One hue for each class",
}


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
    from covidct.inference.heatmap import COLORMAPS, METHODS, lung_share
    from covidct.reports.slice_page import SlicePage

    for control, default in _CONTROLS.items():
        st.session_state.setdefault(control, default)
    canvas = st.container(key="viewer")
    verdict, controls = st.columns([5, 8], gap="large")
    with verdict:
        if view.outside_use:
            why = joined(view.outside_use, strings.NO_MEANING)
            callout(_(OUTSIDE_USE), _(why), tone="stop")
        in_lungs = lung_share(classifier, view.predicted)
        _verdict(view.predicted.prediction, classifier.card.calibration.abstain_band, in_lungs)
        tell_whose(classifier.card)
        class_scale(_("Probability of each class"), view.predicted.prediction.classes)
        st.html(f'<p class="cv-opacities">{literal(_(view.opacities.findings.sentence))}</p>')
    with controls:
        first, second, third = st.columns(3, gap="medium")
        method = first.selectbox(
            _("Method"),
            METHODS,
            format_func=lambda name: _(METHODS[name].title),
            key="method",
            persist_state="session",
        )
        percents = second.slider(
            _("Opacity"), 0, 100, step=5, format="%d%%", key="opacity", persist_state="session"
        )
        opacity = percents / 100
        colormap = third.selectbox(
            _("Colours"), COLORMAPS, format_func=_, key="colormap", persist_state="session"
        )
        waits = METHODS[method].needs_tensorflow and "tensorflow" not in sys.modules
        about = N_(
            "{method}: {description}",
            method=METHODS[method].title,
            description=METHODS[method].description,
        )
        caption(_(joined(about, strings.LOADING_TENSORFLOW) if waits else about))
        window = LUNG if view.hounsfield is None else viewing_window.choose()
    with canvas:
        heat = _heat_map(view, classifier, method)
        seen = view.seen_in(window)
        _pictures(seen, view.opacities.mask, heat, opacity, colormap)
        _bar(view.case.name, view.predicted.prediction, classifier.card)
    with verdict:
        _trust(heat, _(METHODS[method].title))
        for note in view.ct_slice.notes:
            callout(_(note), tone="note")
    if not outcomes:
        return
    if view.outside_use:
        downloads.show(outcomes, classifier)
        return
    title = N_("Case {case}, slice {slice}", case=view.case.group, slice=view.case.number)
    page = SlicePage(
        title, seen, view.predicted.prediction, view.opacities, heat, opacity, colormap
    )
    downloads.show(outcomes, classifier, page, view, notes)


def _heat_map(view: View, classifier: Classifier, method: str) -> HeatMap:
    if view.has_map(method):
        return view.heat_map(classifier, method)
    with st.spinner(_(strings.DRAWING)):
        return view.heat_map(classifier, method)


def _pictures(
    ct_slice: CTSlice, opaque: np.ndarray, heat: HeatMap, opacity: float, colormap: str
) -> None:
    """The slice with its opacities outlined and, beside it, under its heat map."""
    from covidct.inference.heatmap import overlay, paint

    rows, columns = ct_slice.shape
    shown = ct_slice.at_most(_PICTURE_SIDE)
    heat, label = heat.resized(shown.shape), Message(heat.label)
    plain, covered = st.columns(2, gap="small")
    with plain:
        is_outlined = opaque.any() and st.session_state.get("outline", True)
        _slice(shown, opaque if is_outlined else None)
        caption(
            _(
                "The slice, {columns} × {rows} pixels, {source}",
                columns=columns,
                rows=rows,
                source=ct_slice.source,
            )
        )
        if opaque.any():
            name = _("Hide the outline of opacities") if is_outlined else _("Outline the opacities")
            st.button(name, type="tertiary", shortcut="o", on_click=_turn_outline)
    with covered:
        if heat.is_empty:
            callout(
                _("There is no map to show."),
                _("By this method, no place on the slice speaks for {label}.", label=label),
                tone="note",
            )
            return
        picture(
            overlay(shown, heat, opacity, colormap),
            _(
                "The CT slice under the heat map for {label}; the map peaks in the {place} of the "
                "picture",
                label=label,
                place=slice_view.peak_place(heat.values),
            ),
        )
        caption(_("What moved the score towards {label}; not an outline of disease", label=label))
        colours = paint(np.linspace(0, 1, _COLOUR_STEPS)[None], colormap, heat.label)[0]
        colour_bar(colours.tolist(), opacity, _("this slice’s own peak"))


def _bar(name: str, prediction: Prediction, card: ModelCard) -> None:
    """Below slice and overlay: what is done to both in the browser alone; the verdict, spoken."""
    sentence = verdict_sentence(prediction, card.calibration.abstain_band)
    spoken = f"{name}: {_(prediction.decision)}. {_(sentence)}"
    texts = {
        "bar": _("Slice and overlay"),
        "overlay": _("Overlay"),
        "swipe": _("Swipe"),
        "cut": _("Where the overlay begins"),
        "in": _("Zoom in"),
        "out": _("Zoom out"),
        "whole": _("Whole slice"),
        "full": _("Full screen"),
    }
    component("viewer")(data={"texts": texts, "spoken": spoken}, key="viewer_bar")


def _slice(shown: CTSlice, opaque: np.ndarray | None) -> None:
    """The slice, its opacities outlined where they are given."""
    from covidct.inference.opacities import outlined

    if opaque is None:
        picture(shown.pixels, _("The CT slice as it was read"))
    else:
        picture(outlined(shown, opaque), _("The CT slice with its opacities outlined"))


def _turn_outline() -> None:
    st.session_state["outline"] = not st.session_state.get("outline", True)


def _verdict(
    prediction: Prediction, abstain_band: tuple[float, float], in_lungs: float | None
) -> None:
    """The decision in one word, what speaks against it, in one sentence, and on the scale."""
    sentence = literal(_(verdict_sentence(prediction, abstain_band)))
    doubt = "".join(f'<p class="cv-doubt">{literal(_(said))}</p>' for said in distrust(in_lungs))
    st.html(
        f'<div class="cv-verdict cv-{prediction.decision.lower()}">'
        f'<p class="cv-decision">{literal(_(prediction.decision))}</p>{doubt}'
        f"<p>{sentence.replace('COVID-19', 'COVID&#8209;19')}</p></div>"
    )
    gauge(prediction.probability, prediction.operating_point, abstain_band)


def _trust(heat: HeatMap, method: str) -> None:
    """How much of the heat lies where lung disease can be."""
    if heat.is_empty or heat.lung_share is None:
        return
    text = _("{share} of the {method} heat lies in the lungs")
    share = f"<strong>{literal(percent(heat.lung_share))}</strong>"
    st.html(f'<p class="cv-share">{literal(text).format(share=share, method=literal(method))}</p>')
