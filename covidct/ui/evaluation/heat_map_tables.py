"""The measurement of the heat maps as tables; no Streamlit here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from covidct.evaluation.faithfulness.text import limit_of, value_of
from covidct.messages import N_
from covidct.ui.evaluation import tables
from covidct.ui.shared.table import table
from covidct.ui.strings import _, capitalised, literal

_FIGURES = {
    "pointing": (N_("Pointing"), ".0%"),
    "energy": (N_("In lesions"), ".0%"),
    "lung_share": (N_("In lungs"), ".0%"),
    "deletion": (N_("Deletion"), ".2f"),
    "insertion": (N_("Insertion"), ".2f"),
}

# What targets are of, which is stored in English
TARGETS = (
    N_("pointing, series"),
    N_("pointing beside random, series"),
    N_("pointing, planted"),
    N_("pointing beside random, planted"),
    N_("rank correlation, every layer randomised"),
    N_("method that wins"),
)

Measured = Mapping[str, Any]


def methods(measured: Measured, where: str) -> str:
    """Each method on one set of slices."""
    rows = (
        (
            literal(_(measured["methods"][row["method"]])),
            str(row["n"]),
            *(_figure(row[name], form) for name, (_title, form) in _FIGURES.items()),
        )
        for row in measured["rows"]
        if row["set"] == where
    )
    titles = (_(title) for title, _form in _FIGURES.values())
    return table((_("Method"), _("Slices"), *titles), rows)


def shuffled(measured: Measured) -> str:
    """How alike maps are before and after the network's weights are shuffled."""
    rows = (
        (
            literal(_(measured["methods"][row["method"]])),
            literal(_(row["randomised"])),
            str(row["n"]),
            _figure(row["correlation"], ".2f"),
        )
        for row in measured["randomisation"]
    )
    return table((_("Method"), _("Shuffled"), _("Slices"), _("Rank correlation")), rows)


def targets(measured: Measured) -> str:
    """What the default method should reach, and whether it does."""
    rows = (
        (
            literal(capitalised(_(target["figure"]))),
            literal(_(measured["methods"].get(target["value"], value_of(target)))),
            tables.met(target["met"], _(limit_of(target))),
        )
        for target in measured["targets"]
    )
    return table((_("The default method"), _("Reached"), _("Target")), rows)


def methods_csv(measured: Measured) -> str:
    """All methods on all sets in one table."""
    return _as_csv(("set", "method", "n", *_FIGURES), measured["rows"])


def shuffled_csv(measured: Measured) -> str:
    """What :func:`shuffled` shows."""
    return _as_csv(("method", "randomised", "n", "correlation"), measured["randomisation"])


def targets_csv(measured: Measured) -> str:
    """What :func:`targets` shows."""
    return _as_csv(("figure", "value", "at_least", "at_most", "met"), measured["targets"])


def _as_csv(head: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    return tables.as_csv(head, ([row.get(name) for name in head] for row in rows))


def _figure(value: float | None, form: str) -> str:
    return tables.small("–") if value is None else f"{value:{form}}"
