"""ROC, precision and recall, reliability: each as a chart, as data, and in a sentence."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import streamlit as st

from covidct.ui.evaluation import charts
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.strings import _
from covidct.ui.widgets import caption

if TYPE_CHECKING:
    from covidct.evaluation.curves import Curve
    from covidct.evaluation.reliability import Bin
    from covidct.evaluation.sample import Rate


def show_ranking(
    roc: Curve, precision_recall: Curve, rates: dict[str, Rate], prevalence: float
) -> None:
    """The two curves beside each other, with the operating point."""
    sensitivity, specificity, ppv = (rates[name] for name in ("sensitivity", "specificity", "ppv"))
    left, right = st.columns(2, gap="large")
    with left:
        point = 1 - specificity.value, sensitivity.value
        st.altair_chart(
            charts.roc(roc, point),
            key="roc chart",
            alt=_("ROC curve, area {area:.3f}", area=roc.area.value),
        )
        caption(_("COVID-19 slices found (up) at the price of false alarms (across)."))
        offer_csv(
            _("ROC curve as CSV"),
            "ROC-curve",
            lambda: charts.curve_table(roc, "false_positive_rate", "sensitivity").to_csv(
                index=False, quoting=csv.QUOTE_ALL
            ),
        )
    with right:
        st.altair_chart(
            charts.precision_recall(
                precision_recall, (sensitivity.value, ppv.value) if ppv.n else None, prevalence
            ),
            key="precision-recall chart",
            alt=_(
                "Precision-recall curve, average precision {area:.3f}",
                area=precision_recall.area.value,
            ),
        )
        caption(_("Of the slices called Positive, how many are COVID-19 (up)."))
        offer_csv(
            _("Precision-recall curve as CSV"),
            "precision-recall-curve",
            lambda: charts.curve_table(precision_recall, "recall", "precision").to_csv(
                index=False, quoting=csv.QUOTE_ALL
            ),
        )


def show_reliability(bins: tuple[Bin, ...], error: float) -> None:
    """The reliability diagram."""
    st.altair_chart(
        charts.reliability(bins, error),
        key="reliability chart",
        alt=_(
            "Share of COVID-19 by predicted probability, calibration error {error:.3f}", error=error
        ),
    )
    caption(
        _(
            "Of the slices given 70%, are seven in ten COVID-19? Points on the dotted line say "
            "yes, points below it that the network is too sure of COVID-19. Numbers below: slices."
        )
    )
    offer_csv(
        _("Reliability diagram as CSV"),
        "reliability-diagram",
        lambda: charts.reliability_table(bins).to_csv(index=False, quoting=csv.QUOTE_ALL),
    )
