"""An audit as a table for a person."""

from collections.abc import Iterable, Mapping
from typing import Any

from covidct.messages import N_, joined


def as_text(figures: Mapping[str, Any]) -> str:
    """The figures of :func:`covidct.evaluation.audit.run.audit`, a line each."""
    return "\n".join(
        [
            f"{figures['split']}: {figures['n']} slices of {figures['patients']} patients, "
            f"model {figures['model_id']}",
            *_forests(figures["forests"]),
            *_anatomy(figures["anatomy"], figures["without_lungs"]),
            *flips(figures["flips"]),
            *(f"  left out: {skip['file']}: {skip['reason']}" for skip in figures["skipped"]),
        ]
    )


def _forests(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    yield "What tells the class without anatomy: AUC of a random forest, 0.5 is chance"
    for row in rows:
        yield f"  {row['on']:15s} {row['features']:26s} {_figure(row, 'roc_auc', '.2f')}"


def _anatomy(rows: Iterable[Mapping[str, Any]], without_lungs: int) -> Iterable[str]:
    missing = f", {without_lungs} slices without lungs left out" if without_lungs else ""
    yield f"What the network is shown, the rest an even grey: its AUC{missing}"
    for row in rows:
        yield f"  {row['shown']:42s} {_figure(row, 'roc_auc', '.2f')}"


def flips(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Rows of :func:`covidct.evaluation.audit.robustness.label_flips`, a line each."""
    yield "Label flips under label-preserving changes"
    for row in rows:
        counts = f"{row['flipped']} of {row['n']}"
        yield f"  {row['change']:29s} {counts:>12s} {_figure(row, 'share', '.1%')}{ways(row)}"


def ways(row: Mapping[str, Any]) -> str:
    """Which way verdicts turned, how many without a warning, and what was refused, as the end of a
    sentence; audits of before tell less."""
    turned: str = ""
    if row["flipped"] and "to_positive" in row:
        turned = N_(", {to_positive} to Positive", to_positive=row["to_positive"])
        if "both_decided" in row:
            turned = N_(
                ", {to_positive} to Positive and {both_decided} without an “Uncertain” before or "
                "after",
                to_positive=row["to_positive"],
                both_decided=row["both_decided"],
            )
    if not row.get("excluded"):
        return turned
    return joined(turned, N_("({excluded} could not be read so)", excluded=row["excluded"]))


def _figure(row: Mapping[str, Any], name: str, style: str) -> str:
    if row[name] is None:
        return "too few to tell"
    low, high = row[f"{name}_ci95"]
    text = f"{row[name]:{style}} (95 % interval {low:{style}} to {high:{style}})"
    if row["target"] is None:
        return text
    return f"{text}; target {row['target']:{style}} {'met' if row['met'] else 'MISSED'}"
