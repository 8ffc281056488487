"""The operating point on a slider, and what it makes of the slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from covidct.ui.evaluation import tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.strings import _, percent
from covidct.ui.widgets import caption, label

if TYPE_CHECKING:
    from covidct.evaluation.sample import Rate

_STEP = 0.1  # percent


def choose(presets: dict[str, float], key: str) -> float:
    """The slider and its presets; the threshold as a share.

    The slider shows a rounded preset, and still means the preset itself.

    Args:
        presets: thresholds by name, the first one for the start.
        key: sets this slider apart from others.
    """
    rounded = {_rounded(threshold): threshold for threshold in reversed(presets.values())}
    st.session_state.setdefault(key, _rounded(next(iter(presets.values()))))
    slider, buttons = st.columns([3, 2], gap="large", vertical_alignment="bottom")
    with buttons.container(horizontal=True, gap="small", key="presets"):
        for name, threshold in presets.items():
            st.button(
                _("{preset}, {threshold:.1%}", preset=name, threshold=threshold),
                key=f"{key} {name}",
                type="primary" if st.session_state[key] == _rounded(threshold) else "secondary",
                on_click=st.session_state.update,
                args=({key: _rounded(threshold)},),
            )
    chosen = slider.slider(
        _("Call a slice Positive from this probability on"),
        0.0,
        100.0,
        step=_STEP,
        format="%.1f%%",
        key=key,
        persist_state="session",
    )
    return rounded.get(chosen, chosen / 100)


def _rounded(threshold: float) -> float:
    return round(100 * threshold, 1)


def show(rates: dict[str, Rate], threshold: float, prevalence: float) -> None:
    """Confusion matrix and rates at a threshold."""
    matrix, figures = st.columns([5, 6], gap="large")
    with matrix:
        label(_("Confusion matrix: label by row, call by column"))
        st.html(tables.confusion(rates))
        offer_csv(
            _("Confusion matrix as CSV"),
            "confusion-matrix",
            lambda: tables.confusion_csv(rates, threshold),
        )
    with figures:
        label(_("Rates with 95 % intervals"))
        st.html(tables.rates_table(rates))
        caption(
            _(
                "{share} of these slices are COVID-19. Where it is rarer, PPV is lower and NPV "
                "higher.",
                share=percent(prevalence),
            )
        )
        offer_csv(_("Rates as CSV"), "rates", lambda: tables.rates_csv(rates, threshold))
