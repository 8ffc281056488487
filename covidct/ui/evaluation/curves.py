"""ROC, precision and recall, reliability: each as a chart, as data, and in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from covidct.ui.evaluation import charts
from covidct.ui.evaluation.download import offer_csv
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
            alt=f"ROC curve, area {roc.area.value:.3f}",
        )
        caption("COVID-19 slices found (up) at the price of false alarms (across).")
        offer_csv(
            "ROC curve",
            lambda: charts.curve_table(roc, "false_positive_rate", "sensitivity").to_csv(
                index=False
            ),
        )
    with right:
        st.altair_chart(
            charts.precision_recall(
                precision_recall, (sensitivity.value, ppv.value) if ppv.n else None, prevalence
            ),
            key="precision-recall chart",
            alt=f"Precision-recall curve, average precision {precision_recall.area.value:.3f}",
        )
        caption("Of the slices called Positive, how many are COVID-19 (up).")
        offer_csv(
            "precision-recall curve",
            lambda: charts.curve_table(precision_recall, "recall", "precision").to_csv(index=False),
        )


def show_reliability(bins: tuple[Bin, ...], error: float) -> None:
    """The reliability diagram."""
    st.altair_chart(
        charts.reliability(bins, error),
        key="reliability chart",
        alt=f"Share of COVID-19 by predicted probability, calibration error {error:.3f}",
    )
    caption(
        "Of the slices given 70%, are seven in ten COVID-19? Points on the dotted line say yes, "
        "points below it that the network is too sure of COVID-19. Numbers below: slices."
    )
    offer_csv("reliability diagram", lambda: charts.reliability_table(bins).to_csv(index=False))
