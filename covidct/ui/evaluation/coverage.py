"""How often the model does not commit itself, and what that is good for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from covidct.ui.evaluation import tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal
from covidct.ui.widgets import caption, hint, label

if TYPE_CHECKING:
    from covidct.evaluation.results import Review
    from covidct.evaluation.sample import Sample


def show(review: Review, sample: Sample) -> None:
    """Draw it, at the model's own operating point."""
    from covidct.evaluation.operating_point import coverage

    label(_("When the model does not commit itself"))
    decisions = np.array([one.decision for one in review.slices])
    uncertain = decisions == "Uncertain"
    if not all(decisions):
        hint(_("These results are older than the verdict Uncertain. Evaluate again to see it."))
        return
    if not uncertain.any():
        hint(_("It always does: none of these slices was called Uncertain."))
        return
    abstained, right = coverage(sample, uncertain, review.operating_point)
    st.html(
        table(
            (_("At the model’s own operating point"), _("With 95 % interval")),
            [
                (literal(_("Called Uncertain")), tables.rate(abstained)),
                (literal(_("Of the rest, called as labelled")), tables.rate(right)),
            ],
        )
    )
    caption(
        _(
            "A slice is called Uncertain where its probability is too close to the operating "
            "point; on the rest the model should be right more often than on all."
        )
    )
    rates = {"called_uncertain": abstained, "rest_called_as_labelled": right}
    offer_csv(
        _("Uncertain verdicts as CSV"),
        "uncertain-verdicts",
        lambda: tables.rates_csv(rates, review.operating_point),
    )
