"""How often the model does not commit itself, and what that is good for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from covidct.ui.evaluation import tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.widgets import caption

if TYPE_CHECKING:
    from covidct.evaluation.results import Review
    from covidct.evaluation.sample import Sample


def show(review: Review, sample: Sample) -> None:
    """Draw it, at the model's own operating point."""
    from covidct.evaluation.operating_point import coverage

    st.html('<h3 class="cv-label">When the model does not commit itself</h3>')
    decisions = np.array([one.decision for one in review.slices])
    uncertain = decisions == "Uncertain"
    if not all(decisions):
        _hint("These results are older than the verdict Uncertain. Evaluate again to see it.")
        return
    if not uncertain.any():
        _hint("It always does: none of these slices was called Uncertain.")
        return
    abstained, right = coverage(sample, uncertain, review.operating_point)
    st.html(
        tables.html(
            ("At the model’s own operating point", "With 95 % interval"),
            [
                ("Called Uncertain", tables.rate(abstained)),
                ("Of the rest, called as labelled", tables.rate(right)),
            ],
        )
    )
    caption(
        "A slice is called Uncertain where its probability is too close to the operating point; "
        "on the rest the model should be right more often than on all."
    )
    rates = {"called_uncertain": abstained, "rest_called_as_labelled": right}
    offer_csv("uncertain verdicts", lambda: tables.rates_csv(rates, review.operating_point))


def _hint(text: str) -> None:
    st.html(f'<p class="cv-hint">{text}</p>')
