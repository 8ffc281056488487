"""Results as tables, for the page and as CSV; no Streamlit here."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from covidct.ui.strings import literal

if TYPE_CHECKING:
    from covidct.evaluation.groups import Group
    from covidct.evaluation.sample import Rate
    from covidct.stats.bootstrap import Measured

RATES = {
    "sensitivity": ("Sensitivity", "of the COVID-19 slices are called Positive"),
    "specificity": ("Specificity", "of the other slices are called Negative"),
    "ppv": ("PPV", "of the slices called Positive are COVID-19"),
    "npv": ("NPV", "of the slices called Negative are not"),
    "accuracy": ("Accuracy", "of all slices are called as they are labelled"),
}
_MET = {True: ("good", "✓", "met"), False: ("bad", "!", "missed")}
_STAY = "\N{NO-BREAK SPACE}"
_RATE_COLUMNS = ("value", "low", "high", "hits", "n", "patients")


def html(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names the rows.

    Args:
        head: titles of the columns, plain text.
        rows: of cells, HTML.
    """
    titles = "".join(f"<th>{literal(title)}</th>" for title in head)
    body = "".join(
        f"<tr><th>{first}</th>{''.join(f'<td>{cell}</td>' for cell in others)}</tr>"
        for first, *others in rows
    )
    return (
        f'<div class="cv-scroll"><table class="cv-table"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def met(is_met: bool | None, target: str) -> str:
    """A target and whether it is met, told by sign and word, as HTML.

    Args:
        is_met: None where the figure is not known.
        target: plain text, or empty where the row says it.
    """
    if is_met is None:
        return literal(target)
    tone, sign, word = _MET[is_met]
    said = f"{word}: {literal(target)}" if target else word
    return (
        f'<span class="cv-met cv-{tone}"><span class="cv-mark" aria-hidden="true">{sign}</span>'
        f"{said}</span>"
    )


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The same as comma-separated values."""
    text = StringIO()
    table = csv.writer(text)
    table.writerow(head)
    table.writerows(rows)
    return text.getvalue()


def rate(rate: Rate) -> str:
    """A rate with its interval and its numbers, as HTML."""
    if not rate.n:
        return "<small>no such slices</small>"
    counted = count_of(rate.hits, rate.n)
    if rate.ci95 is None:
        return f"{counted} <small>too few patients for a rate: {rate.patients}</small>"
    return f"{rate.value:.0%} <small>{interval(rate.ci95, '.0%')}, {counted}</small>"


def area(area: Measured | None) -> str:
    """An area under a curve with its interval, as HTML."""
    if area is None:
        return "<small>too few patients</small>"
    few = "" if area.ci95 else " <small>too few patients for an interval</small>"
    return with_interval(area.value, area.ci95, ".3f") + few


def rates_table(rates: Mapping[str, Rate]) -> str:
    """The rates at an operating point, each with what it is a share of."""
    return html(
        ("Rate", "Value", "Meaning"),
        [(title, rate(rates[name]), literal(meaning)) for name, (title, meaning) in RATES.items()],
    )


def rates_csv(rates: Mapping[str, Rate], threshold: float) -> str:
    """Rates at an operating point."""
    head = ("rate", "operating_point", *_RATE_COLUMNS)
    return as_csv(head, [(name, threshold, *_numbers(rate)) for name, rate in rates.items()])


def confusion(rates: Mapping[str, Rate]) -> str:
    """The confusion matrix behind the rates, as HTML."""
    ill, other = rates["sensitivity"], rates["specificity"]
    rows = (
        ("COVID-19", ill.hits, "found", ill.n - ill.hits, "missed"),
        ("Other", other.n - other.hits, "false alarms", other.hits, "cleared"),
    )
    body = "".join(
        f'<tr><th scope="row">{title}</th>'
        f'<td class="cv-{"right" if title == "COVID-19" else "wrong"}">'
        f"<strong>{positive:,}</strong>{said_positive}</td>"
        f'<td class="cv-{"wrong" if title == "COVID-19" else "right"}">'
        f"<strong>{negative:,}</strong>{said_negative}</td></tr>"
        for title, positive, said_positive, negative, said_negative in rows
    )
    return (
        '<table class="cv-confusion"><thead><tr><td></td><th scope="col">Called Positive</th>'
        f'<th scope="col">Called Negative</th></tr></thead><tbody>{body}</tbody></table>'
    )


def confusion_csv(rates: Mapping[str, Rate], threshold: float) -> str:
    """The confusion matrix behind the rates."""
    ill, other = rates["sensitivity"], rates["specificity"]
    return as_csv(
        ("label", "operating_point", "called_positive", "called_negative"),
        [
            ("COVID-19", threshold, ill.hits, ill.n - ill.hits),
            ("Other", threshold, other.n - other.hits, other.hits),
        ],
    )


def groups_table(first: str, groups: Sequence[Group]) -> str:
    """Results by groups of slices.

    Args:
        first: what the groups are told apart by.
        groups: one a row.
    """
    return html(
        (first, "Slices", "Sensitivity", "Specificity", "ROC AUC"),
        [
            (
                literal(group.name),
                f"{group.sensitivity.n + group.specificity.n:,} <small>of "
                f"{group.sensitivity.patients + group.specificity.patients:,} patients</small>",
                rate(group.sensitivity),
                rate(group.specificity),
                area(group.auc),
            )
            for group in groups
        ],
    )


def groups_csv(groups: Sequence[Group], threshold: float) -> str:
    """Results by groups of slices."""
    head = (
        "group",
        "operating_point",
        *(f"sensitivity_{name}" for name in _RATE_COLUMNS),
        *(f"specificity_{name}" for name in _RATE_COLUMNS),
        *("roc_auc", "roc_auc_low", "roc_auc_high"),
    )
    rows = [
        (
            group.name,
            threshold,
            *_numbers(group.sensitivity),
            *_numbers(group.specificity),
            *(
                (group.auc.value, *group.auc.ci95)
                if group.auc and group.auc.ci95
                else (None, None, None)
            ),
        )
        for group in groups
    ]
    return as_csv(head, rows)


def _numbers(rate: Rate) -> tuple[Any, ...]:
    low, high = rate.ci95 or (None, None)
    return rate.value if rate.n else None, low, high, rate.hits, rate.n, rate.patients


def with_interval(value: float, ends: Sequence[float] | None, form: str) -> str:
    """A figure with what it lies between, as HTML."""
    if ends is None:
        return f"{value:{form}}"
    return f"{value:{form}} <small>{interval(ends, form)}</small>"


def interval(ends: Sequence[float], form: str) -> str:
    """ "0.85 to 0.97", in one line."""
    low, high = ends
    return f"{low:{form}}{_STAY}to{_STAY}{high:{form}}"


def count_of(hits: int, n: int) -> str:
    """ "51 of 60", in one line."""
    return f"{hits:,}{_STAY}of{_STAY}{n:,}"
