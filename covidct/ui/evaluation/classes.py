"""How well a model tells several classes apart: a picture, a table, and in a sentence."""

from __future__ import annotations

import streamlit as st

from covidct.data.classes import own_title
from covidct.messages import ngettext
from covidct.ui.evaluation import charts, class_tables
from covidct.ui.evaluation.class_tables import Figures
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.strings import _
from covidct.ui.widgets import caption, hint


def show(figures: Figures, threshold: float, name: str = "classes") -> None:
    """The confusion matrix, and each class against the rest.

    Args:
        figures: of the classes, the matrix among them at
        threshold: the probability from which a slice is called Positive.
        name: sets these figures apart from others on the page.
    """
    matrix, areas = st.columns(2, gap="large")
    with matrix:
        right = _(
            "Of all classes {count} are called as labelled",
            count=class_tables.right_of_all(figures),
        )
        st.altair_chart(
            charts.confusion(
                figures["confusion"],
                [_(own_title(one)) for one in figures["names"]],
                right,
            ),
            key=f"confusion matrix of {name}",
            alt=_(
                "Confusion matrix of the classes, called as labelled: {each}",
                each=class_tables.right_of_each(figures),
            ),
        )
        caption(
            _("A slice is called COVID-19 where it is Positive, else the likeliest of the others.")
        )
    with areas:
        st.html(class_tables.classes(figures))
        caption(_("The classes without COVID-19 share what its probability leaves."))
        if unknown := figures["unknown"]:
            left_out = ngettext(
                "{count:,} slice is left out here: the model does not know its class.",
                "{count:,} slices are left out here: the model does not know their classes.",
                unknown,
            )
            hint(_(left_out))
        offer_csv(_("Classes as CSV"), name, lambda: class_tables.classes_csv(figures, threshold))
