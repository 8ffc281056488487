"""An audit as a table for a person."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from covidct.messages import N_, Message, joined

ALL = N_("all slices")
POOLED, SCORE = N_("pooled features"), N_("the network’s score alone")


def as_text(figures: Mapping[str, Any]) -> str:
    """The figures of :func:`covidct.evaluation.audit.run.audit`, a line each."""
    return "\n".join(
        [
            f"{figures['split']}: {figures['n']} slices of {figures['patients']} patients, "
            f"model {figures['model_id']}",
            *([learnt] if (learnt := flattered(figures)) else []),
            *_forests(figures["forests"]),
            *_anatomy(figures["anatomy"], figures["without_lungs"]),
            *_painted(figures["painted"]),
            *flips(figures["flips"]),
            *_told_apart(figures.get("told_apart")),
            *(f"  left out: {skip['file']}: {skip['reason']}" for skip in figures["skipped"]),
        ]
    )


def flattered(figures: Mapping[str, Any]) -> Message | None:
    """What to say of an audit of slices that the model learnt from; None where it did not."""
    learnt = figures.get("learnt")
    if learnt is None:
        return N_(
            "Which slices the model learnt from is not known: where these are among them, the "
            "audit speaks too well of it."
        )
    if not learnt:
        return None
    return N_(
        "The model learnt from {learnt:,} of these {n:,} slices, or from nearly the same pictures: "
        "the audit speaks too well of it.",
        learnt=learnt,
        n=figures["n"],
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


def _painted(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    yield "Positive verdicts that painting out makes Positive no more"
    for row in rows:
        counts = f"{row['turned']} of {row['n']}"
        mean = "" if row["n"] == 0 else f", probability {row['before']:.2f} to {row['after']:.2f}"
        how = "as drawn" if row["drawn"] else "as found"
        yield f"  {row['of']}, {how}, {row['painted']}: {counts}{mean}"


def _told_apart(told: Mapping[str, Any] | None) -> Iterable[str]:
    if not told:
        return
    yield "What tells the source: accuracy of a random forest and of logistic regression"
    for row in told["rows"]:
        yield (
            f"  {row['features']}, {row['among']}: {row['forest_accuracy']:.0%}, "
            f"{row['regression_accuracy']:.0%}; chance {1 / row['named']:.0%}"
        )
    yield meaning(told["rows"])


def meaning(rows: Sequence[Mapping[str, Any]]) -> Message:
    """What the rows come to, for a person."""
    by_features = {row["features"]: row for row in rows if row["among"] == ALL}
    pooled, score = by_features[POOLED], by_features[SCORE]
    best = [max(row["forest_accuracy"], row["regression_accuracy"]) for row in (pooled, score)]
    return N_(
        "From what the network pools, a simple method names the source of {pooled:.0%} of the "
        "slices, from its score alone {score:.0%}; chance is {chance:.0%}. So the network can tell "
        "where a slice comes from, and a source of one class can teach it the source for the "
        "disease. How far it does, only figures of sources left out show.",
        pooled=best[0],
        score=best[1],
        chance=1 / pooled["named"],
    )


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
