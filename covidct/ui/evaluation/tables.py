"""Results as tables, for the page and as CSV; no Streamlit here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from covidct.messages import N_, Message, joined, ngettext, number
from covidct.spreadsheets import write_table
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal

if TYPE_CHECKING:
    from covidct.evaluation.groups import Group
    from covidct.evaluation.sample import Rate
    from covidct.stats.bootstrap import Measured

RATES = {
    "sensitivity": (N_("Sensitivity"), N_("of the COVID-19 slices are called Positive")),
    "specificity": (N_("Specificity"), N_("of the other slices are called Negative")),
    "ppv": (N_("PPV"), N_("of the slices called Positive are COVID-19")),
    "npv": (N_("NPV"), N_("of the slices called Negative are not")),
    "accuracy": (N_("Accuracy"), N_("of all slices are called as they are labelled")),
}
_MET = {True: ("good", "✓", N_("met")), False: ("bad", "!", N_("target missed"))}
_RATE_COLUMNS = ("value", "low", "high", "hits", "n", "patients")


def small(text: str) -> str:
    """A note beside a figure, as HTML."""
    return f"<small>{literal(text)}</small>"


def met(is_met: bool | None, target: str) -> str:
    """A target and whether it is met, told by sign and word, as HTML.

    Args:
        is_met: None where the figure is not known.
        target: plain text, or empty where the row says it.
    """
    if is_met is None:
        return literal(target)
    tone, sign, word = _MET[is_met]
    said = _("{met}: {target}", met=word, target=target) if target else _(word)
    return (
        f'<span class="cv-met cv-{tone}"><span class="cv-mark" aria-hidden="true">{sign}</span>'
        f"{literal(said)}</span>"
    )


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The same as comma-separated values."""
    text = StringIO()
    write_table(text, head, rows)
    return text.getvalue()


def rate(rate: Rate) -> str:
    """A rate with its interval and its numbers, as HTML."""
    if not rate.n:
        return small(_("no such slices"))
    counted = count_of(rate.hits, rate.n)
    if rate.ci95 is None:
        few = _("too few patients for a rate: {patients}", patients=rate.patients)
        return f"{literal(_(counted))} {small(few)}"
    between = joined(interval(rate.ci95, ".0%"), counted, by=", ")
    return f"{_(number(rate.value, '.0%'))} {small(_(between))}"


def area(area: Measured | None) -> str:
    """An area under a curve with its interval, as HTML."""
    if area is None:
        return small(_("too few patients"))
    measured = with_interval(area.value, area.ci95, ".3f")
    few = _("too few patients for an interval")
    return measured if area.ci95 else f"{measured} {small(few)}"


def rates_table(rates: Mapping[str, Rate]) -> str:
    """The rates at an operating point, each with what it is a share of."""
    return table(
        (_("Rate"), _("Value"), _("Meaning")),
        [
            (literal(_(title)), rate(rates[name]), literal(_(meaning)))
            for name, (title, meaning) in RATES.items()
        ],
    )


def rates_csv(rates: Mapping[str, Rate], threshold: float) -> str:
    """Rates at an operating point."""
    head = ("rate", "operating_point", *_RATE_COLUMNS)
    return as_csv(head, [(name, threshold, *_numbers(rate)) for name, rate in rates.items()])


def confusion(rates: Mapping[str, Rate]) -> str:
    """The confusion matrix behind the rates, as HTML."""
    ill, other = rates["sensitivity"], rates["specificity"]
    rows = (
        (
            _("COVID-19"),
            (("right", ill.hits, _("found")), ("wrong", ill.n - ill.hits, _("missed"))),
        ),
        (
            _("Other"),
            (
                ("wrong", other.n - other.hits, _("false alarms")),
                ("right", other.hits, _("cleared")),
            ),
        ),
    )
    body = "".join(
        f'<tr><th scope="row">{literal(title)}</th>'
        + "".join(
            f'<td class="cv-{tone}"><strong>{_(number(slices, ","))}</strong>{literal(said)}</td>'
            for tone, slices, said in cells
        )
        + "</tr>"
        for title, cells in rows
    )
    called = "".join(
        f'<th scope="col">{literal(title)}</th>'
        for title in (_("Called Positive"), _("Called Negative"))
    )
    return (
        f'<table class="cv-confusion"><thead><tr><td></td>{called}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
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
    return table(
        (first, _("Slices"), _("Sensitivity"), _("Specificity"), _("ROC AUC")),
        [
            (
                literal(_(group.name)),
                f"{_(number(group.sensitivity.n + group.specificity.n, ','))} "
                f"{small(_of_patients(group.sensitivity.patients + group.specificity.patients))}",
                rate(group.sensitivity),
                rate(group.specificity),
                area(group.auc),
            )
            for group in groups
        ],
    )


def _of_patients(number: int) -> str:
    return _(ngettext("of {count:,} patient", "of {count:,} patients", number))


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
        return _(number(value, form))
    return f"{_(number(value, form))} {small(_(interval(ends, form)))}"


def interval(ends: Sequence[float], form: str) -> Message:
    """ "0.85 to 0.97", in one line."""
    low, high = (number(end, form) for end in ends)
    return N_("{low}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{high}", low=low, high=high)


def count_of(hits: int, n: int) -> Message:
    """ "51 of 60", in one line."""
    return N_("{hits:,}\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}{n:,}", hits=hits, n=n)
