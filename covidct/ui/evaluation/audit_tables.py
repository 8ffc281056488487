"""The audit of a model as tables; no Streamlit here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from covidct.evaluation.audit.text import ways
from covidct.messages import N_, joined, number
from covidct.ui.evaluation import tables
from covidct.ui.shared.table import table
from covidct.ui.strings import _, capitalised, literal

_SHOWN = {
    "everything": N_("The slice as it is"),
    "all but the lungs": N_("The slice without its lungs"),
    "only the lungs": N_("Its lungs alone"),
    "all, with opacities painted out": N_("All, its opacities painted out"),
}
_NAMES = ("features", "shown", "change", "on", "of", "painted", "among")
_FIGURES = {
    "forests": ("roc_auc",),
    "anatomy": ("roc_auc",),
    "painted": ("share",),
    "flips": ("share",),
    "told_apart": (
        "forest_accuracy",
        "regression_accuracy",
        "forest_roc_auc",
        "regression_roc_auc",
    ),
}

Audit = Mapping[str, Any]


def forests(audit: Audit) -> str:
    """What the class can be told from without anatomy."""
    rows = (
        (
            f"{_sentence(row['features'])} <small>{literal(_of(row['on']))}</small>",
            _auc(row),
            _target(row, ".2f"),
        )
        for row in audit["forests"]
    )
    return table((_("A random forest is given"), _("ROC AUC"), _("Target")), rows)


def anatomy(audit: Audit) -> str:
    """What the network makes of a slice with part of it occluded."""
    rows = (
        (literal(_(_SHOWN.get(row["shown"], row["shown"]))), _auc(row), _target(row, ".2f"))
        for row in audit["anatomy"]
    )
    return table((_("The network is shown"), _("ROC AUC"), _("Target")), rows)


def painted(audit: Audit) -> str:
    """How many Positive verdicts painting opacities out, or other lung, turns over.

    Args:
        audit: with "sets", what the model learnt from of each set.
    """
    rows = (
        (
            f"{_sentence(row['painted'])} <small>{literal(_of_set(row))}: "
            f"{literal(_(audit['sets'][row['of']]))}</small>",
            _turned(row),
            ""
            if row["n"] == 0
            else " → ".join(_(number(row[when], ".2f")) for when in ("before", "after")),
            _(number(row["nothing_seen"], ",")),
            _(number(row["too_full"], ",")),
        )
        for row in audit["painted"]
    )
    return table(
        (
            _("Painted out"),
            _("Positive no more"),
            _("Mean probability"),
            _("Positive without opacities"),
            _("Too little other lung"),
        ),
        rows,
    )


def told_apart(audit: Audit) -> str:
    """What the source of a slice can be told from."""
    rows = (
        (
            f"{_sentence(row['features'])} <small>{literal(_(row['among']))}</small>",
            *(
                tables.with_interval(row[name], row[f"{name}_ci95"], form)
                for name, form in (
                    ("forest_accuracy", ".0%"),
                    ("regression_accuracy", ".0%"),
                    ("forest_roc_auc", ".2f"),
                    ("regression_roc_auc", ".2f"),
                )
            ),
            _(number(1 / row["named"], ".0%")),
        )
        for row in audit["told_apart"]["rows"]
    )
    return table(
        (
            _("Looked at"),
            _("Random forest"),
            _("Logistic regression"),
            _("Forest, ROC AUC"),
            _("Regression, ROC AUC"),
            _("Chance"),
        ),
        rows,
    )


def flips(audit: Audit) -> str:
    """How many labels flip under label-preserving changes."""
    rows = (
        (_sentence(row["change"]), _flipped(row), _target(row, ".0%")) for row in audit["flips"]
    )
    return table((_("Change"), _("Label flips"), _("Target")), rows)


def as_csv(audit: Audit) -> str:
    """All rows of the parts that there are in one table."""
    rows = (
        (
            part,
            ", ".join(str(row[name]) for name in _NAMES if name in row),
            figure,
            row[figure],
            *(row.get(f"{figure}_ci95") or (None, None)),
            row.get("target"),
            row.get("met"),
        )
        for part, figures in _FIGURES.items()
        for row in _rows(audit, part)
        for figure in figures
    )
    return tables.as_csv(("part", "row", "figure", "value", "low", "high", "target", "met"), rows)


def _rows(audit: Audit, part: str) -> Sequence[Audit]:
    found = audit.get(part, ())
    return found["rows"] if part == "told_apart" and found else found


def _of_set(row: Audit) -> str:
    if row["drawn"]:
        return _("{name}, as drawn", name=row["of"])
    return _("{name}, as found", name=row["of"])


def _of(what: str) -> str:
    return _("of what the network sees") if what == "network pixels" else _("of the file")


def _auc(row: Audit) -> str:
    if row["roc_auc"] is None:
        return tables.small(_("too few patients"))
    return tables.with_interval(row["roc_auc"], row["roc_auc_ci95"], ".2f")


def _turned(row: Audit) -> str:
    if row["share"] is None:
        return tables.small(_("no such slices"))
    counted = joined(
        tables.interval(row["share_ci95"], ".0%"), tables.count_of(row["turned"], row["n"]), by=", "
    )
    return f"{_(number(row['share'], '.0%'))} {tables.small(_(counted))}"


def _flipped(row: Audit) -> str:
    if row["share"] is None:
        return tables.small(_("not measured"))
    counted = joined(tables.count_of(row["flipped"], row["n"]), ways(row), by="")
    if row.get("share_ci95"):
        counted = joined(tables.interval(row["share_ci95"], ".1%"), counted, by=", ")
    return f"{_(number(row['share'], '.1%'))} {tables.small(_(counted))}"


def _target(row: Audit, form: str) -> str:
    """A greatest value and whether it is kept, told by sign and word."""
    if row["target"] is None:
        return tables.small(_("none"))
    return tables.met(row["met"], _("at most {target}", target=number(row["target"], form)))


def _sentence(text: str) -> str:
    return literal(capitalised(_(text)))
