"""How well opacities are found, as tables and sentences; no Streamlit here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from covidct.messages import N_, Message, number
from covidct.ui.evaluation import tables
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal

_MEANS = (
    ("lungs_dice", ".2f"),
    ("opacities_dice", ".2f"),
    ("surface_distance", ".1f"),
    ("share_error", ".1%"),
)
_COUNTS = ("detected", "falsely_detected")
_OF_PATIENT = ("share_drawn", "share_found", "severity_drawn", "severity_found")

Figures = Mapping[str, Any]


def by_source(figures: Figures) -> str:
    """The measures of each source, as HTML."""
    return table(
        (
            _("Source"),
            _("Lungs, Dice"),
            _("Opacities, Dice"),
            _("Distance"),
            _("Error of the share"),
            _("Called opaque, of those with"),
            _("Called opaque, of those without"),
        ),
        [
            (
                f"{literal(source)} {tables.small(_of(row))}",
                *(
                    "–" if row[name] is None else _(number(row[name], form))
                    for name, form in _MEANS
                ),
                *(_counted(row[name]) for name in _COUNTS),
            )
            for source, row in figures["by_source"].items()
        ],
    )


def by_source_csv(figures: Figures) -> str:
    """The same as comma-separated values."""
    names = [name for name, _form in _MEANS]
    return tables.as_csv(
        ("source", "slices", "patients", *names, *_COUNTS, *(f"{n}_of" for n in _COUNTS)),
        [
            (
                source,
                row["slices"],
                row["patients"],
                *(row[name] for name in names),
                *(row[name]["slices"] for name in _COUNTS),
                *(row[name]["of"] for name in _COUNTS),
            )
            for source, row in figures["by_source"].items()
        ],
    )


def agreement(figures: Figures) -> Message:
    """The correlation of a figure of patients, in words."""
    if figures["correlation"] is None:
        return N_("too few patients for a correlation")
    low, high = figures["correlation_ci95"]
    return N_(
        "correlation {value:.2f}, 95 % interval {low:.2f} to {high:.2f}",
        value=figures["correlation"],
        low=low,
        high=high,
    )


def errors(figures: Figures) -> Message:
    """How far off share and score are, in words."""
    share, score = figures["share"], figures["severity"]
    return N_(
        "Of {patients} patients the share of the lungs is off by {share:.1%} of their volume on "
        "average, and the score of six zones, 0 to 24, by {score:.1f}. Points below the dotted "
        "line: less is found than was drawn.",
        patients=share["patients"],
        share=share["error"],
        score=score["error"],
    )


def patients_csv(rows: Sequence[Figures]) -> str:
    """Severity of each patient as comma-separated values."""
    names = ("patient", "slices", *_OF_PATIENT)
    return tables.as_csv(names, [[row[name] for name in names] for row in rows])


def _of(row: Figures) -> str:
    return _("{slices} slices, {patients} patients", slices=row["slices"], patients=row["patients"])


def _counted(row: Figures) -> str:
    return literal(_(tables.count_of(row["slices"], row["of"]))) if row["of"] else "–"
