"""How well classes are told apart, as tables; no Streamlit here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from covidct.data.classes import own_title
from covidct.messages import Message, joined, number
from covidct.stats.bootstrap import Measured
from covidct.ui.evaluation import tables
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal

Figures = Mapping[str, Any]
"""As :func:`covidct.evaluation.classes.summarise_classes` gives them."""


def right_of_each(figures: Figures) -> Message:
    """How many slices of each class are called so, in one line."""
    each = (
        joined(own_title(name), tables.count_of(row[place], sum(row)))
        for place, (name, row) in enumerate(_rows(figures).items())
    )
    return joined(*each, by=", ")


def right_of_all(figures: Figures) -> Message:
    """How many slices of all classes are called as they are labelled."""
    right = sum(row[place] for place, row in enumerate(figures["confusion"]))
    return tables.count_of(right, figures["n"])


def classes(figures: Figures) -> str:
    """Each class against the rest and the mean of all, as HTML."""
    rows = [
        (
            literal(_(own_title(name))),
            _(number(of_class["n"], ",")),
            tables.area(_auc(of_class, "roc_auc")) if of_class["n"] else tables.small("–"),
        )
        for name, of_class in figures["each"].items()
    ]
    mean = tables.area(_auc(figures, "mean_roc_auc"))
    return table(
        (_("Class"), _("Slices"), _("ROC AUC against the rest")),
        [*rows, (literal(_("Mean of the classes")), _(number(figures["n"], ",")), mean)],
    )


def classes_csv(figures: Figures, threshold: float) -> str:
    """The same with the confusion matrix, a row a class."""
    head = (
        "label",
        "operating_point",
        "slices",
        "patients",
        *(f"called_{name}" for name in figures["names"]),
        *("roc_auc", "roc_auc_low", "roc_auc_high"),
    )
    rows = []
    for name, row in _rows(figures).items():
        of_class = figures["each"][name]
        counts = of_class["n"], of_class["patients"]
        interval = of_class["roc_auc_ci95"] or (None, None)
        rows.append((name, threshold, *counts, *row, of_class["roc_auc"], *interval))
    return tables.as_csv(head, rows)


def _rows(figures: Figures) -> dict[str, list[int]]:
    return dict(zip(figures["names"], figures["confusion"], strict=True))


def _auc(figures: Figures, name: str) -> Measured:
    ends = figures[f"{name}_ci95"]
    return Measured(figures[name], tuple(ends) if ends else None)
