"""The measurement of the heat maps as a table for a person."""

from collections.abc import Iterable, Mapping
from typing import Any

from covidct.messages import N_, Message

_SETS = {
    "series": N_(
        "{called_positive} of {lesion_slices} lesion slices of the series, those called Positive "
        "(masks {masks_lie}, lung masks overlap by {lung_overlap:.2f})"
    ),
    "planted": N_(
        "{lesion_slices} synthetic slices with planted lesions; the class Positive is explained, "
        "{called_positive} are called so"
    ),
    "data": N_("{slices} slices of {name}, {split}, each with the class that it is called"),
}


def as_text(figures: Mapping[str, Any]) -> str:
    """The figures of :func:`covidct.evaluation.faithfulness.run.faithfulness`, a line each."""
    return "\n".join(
        [
            f"Heat maps of model {figures['model_id']}; the app shows {figures['default']} first",
            *_rows(figures),
            *_randomisation(figures["randomisation"]),
            "Targets",
            *map(_target, figures["targets"]),
        ]
    )


def described(name: str, about: Mapping[str, Any]) -> Message:
    """What a set of slices is, in a sentence without its end."""
    return Message(_SETS[name], **about)


def _rows(figures: Mapping[str, Any]) -> Iterable[str]:
    for name, about in figures["sets"].items():
        yield described(name, about)
        yield "  method         n  pointing  in lesions  in lungs  deletion  insertion"
        for row in (row for row in figures["rows"] if row["set"] == name):
            yield (
                f"  {row['method']:11s} {row['n']:4d} {_share(row['pointing']):>9s} "
                f"{_share(row['energy']):>11s} {_share(row['lung_share']):>9s} "
                f"{_area(row['deletion']):>9s} {_area(row['insertion']):>10s}"
            )


def _randomisation(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    yield "Rank correlation with the map of a network whose weights are shuffled"
    for row in rows:
        yield f"  {row['method']:11s} {row['randomised']:12s} {_correlation(row):>6s}"


def _correlation(row: Mapping[str, Any]) -> str:
    return "–" if row["correlation"] is None else f"{row['correlation']:.2f}"


def _target(target: Mapping[str, Any]) -> str:
    met = {True: "met", False: "MISSED", None: ""}[target["met"]]
    limit = limit_of(target)
    return f"  {target['figure']}: {value_of(target)}{limit and ', '}{limit} {met}".rstrip()


def value_of(target: Mapping[str, Any]) -> str:
    """What was reached."""
    value = target["value"]
    if value is None:
        return N_("not measured")
    return value if isinstance(value, str) else f"{value:.2f}"


def limit_of(target: Mapping[str, Any]) -> str:
    """What should be reached; empty where the figure says it."""
    if "at_least" in target:
        return N_("at least {limit:.2f}", limit=target["at_least"])
    if "at_most" in target:
        return N_("at most {limit:.2f}", limit=target["at_most"])
    return ""


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _area(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
