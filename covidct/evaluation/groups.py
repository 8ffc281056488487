"""Results by groups of slices: what a clinician asks for, and what files differ in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from covidct.evaluation.curves import auc
from covidct.evaluation.operating_point import rates_at
from covidct.evaluation.results import Reviewed
from covidct.evaluation.sample import Rate, Sample
from covidct.messages import N_, Message, joined, number
from covidct.stats.bootstrap import Measured

NOT_SAID = N_("Not said by the file")

_SEXES = {"F": N_("Female"), "M": N_("Male"), "O": N_("Other")}
_AGES = (
    (0, N_("Under 40 years")),
    (40, N_("40 to 59 years")),
    (60, N_("60 to 79 years")),
    (80, N_("80 years or more")),
)
_THICKNESSES = (
    (0, N_("Under 1.5 mm")),
    (1.5, N_("1.5 mm to under 3 mm")),
    (3, N_("3 mm to under 5 mm")),
    (5, N_("5 mm or more")),
)
_OPACITY_SHARES = (
    (0, N_("Under 1% of the lungs")),
    (0.01, N_("1% to under 10% of the lungs")),
    (0.1, N_("10% to under 25% of the lungs")),
    (0.25, N_("25% of the lungs or more")),
)
_THIRDS = (N_("Smallest third"), N_("Middle third"), N_("Largest third"))

Parts = list[tuple[str, np.ndarray]]
"""Names of groups, each with its members, bool (N,)."""


@dataclass(frozen=True, slots=True)
class Group:
    """Slices that have something in common.

    Attributes:
        name: what that is.
        sensitivity: among its COVID-19 slices.
        specificity: among its other slices.
        auc: None where there are too few patients for an interval.
    """

    name: str
    sensitivity: Rate
    specificity: Rate
    auc: Measured | None


def results_by(
    criterion: str, slices: Sequence[Reviewed], sample: Sample, threshold: float
) -> tuple[Group, ...]:
    """The groups by one of :data:`CRITERIA`; empty where no slice says it.

    Slices that do not say it, where others do, are a group of their own.

    Args:
        criterion: its name.
        slices: of an evaluation.
        sample: the same slices as arrays.
        threshold: probability from which a slice is called Positive.
    """
    _title, share_out = CRITERIA[criterion]
    return tuple(
        _group(name, sample.part(members), threshold) for name, members in share_out(slices)
    )


def _by_age(slices: Sequence[Reviewed]) -> Parts:
    return _by_ranges([one.acquisition.age for one in slices], _AGES)


def _by_sex(slices: Sequence[Reviewed]) -> Parts:
    parts = dict(_by_name([one.acquisition.sex for one in slices]))
    return [(_SEXES.get(sex, sex), members) for sex, members in parts.items()]


def _by_scanner(slices: Sequence[Reviewed]) -> Parts:
    return _by_name([one.acquisition.scanner for one in slices])


def _by_thickness(slices: Sequence[Reviewed]) -> Parts:
    return _by_ranges([one.acquisition.thickness_mm for one in slices], _THICKNESSES)


def _by_opacity_share(slices: Sequence[Reviewed]) -> Parts:
    return _by_ranges([one.opacity_share for one in slices], _OPACITY_SHARES)


def _by_source(slices: Sequence[Reviewed]) -> Parts:
    return _by_name([one.source for one in slices])


def _by_size(slices: Sequence[Reviewed]) -> Parts:
    """Thirds by the number of pixels; fewer where many are alike."""
    pixels = np.array([one.shape[0] * one.shape[1] for one in slices])
    if not pixels.all():
        return []
    third = np.digitize(pixels, np.quantile(pixels, (1 / 3, 2 / 3)), right=True)
    parts = np.unique(third).tolist()

    def name(part: int) -> Message:
        title = _THIRDS[part] if len(parts) > 1 else N_("All")
        return joined(title, _pixels(pixels[third == part]), by=", ")

    return [(name(part), third == part) for part in parts]


CRITERIA: dict[str, tuple[Message, Callable[[Sequence[Reviewed]], Parts]]] = {
    "age": (N_("Age"), _by_age),
    "sex": (N_("Sex"), _by_sex),
    "opacity-share": (N_("Opaque lung"), _by_opacity_share),
    "slice-thickness": (N_("Slice thickness"), _by_thickness),
    "scanner": (N_("Scanner"), _by_scanner),
    "source": (N_("Source"), _by_source),
    "size": (N_("Size"), _by_size),
}
"""What slices are told apart by: a title, and what shares them out, empty where none says it."""


def _by_name(names: Sequence[str]) -> Parts:
    """The most frequent first, those without a name last."""
    told = np.array(names)
    found, counts = np.unique(told[told != ""], return_counts=True)
    parts: Parts = [(str(found[i]), told == found[i]) for i in np.argsort(-counts, kind="stable")]
    return _with_rest(parts, told == "")


def _by_ranges(values: Sequence[float | None], ranges: Sequence[tuple[float, Message]]) -> Parts:
    """From the lowest range that has members; each begins at its number and ends at the next."""
    told = np.array([np.nan if value is None else value for value in values])
    at = np.digitize(told, [start for start, _name in ranges]) - 1
    of_range = ((name, (at == i) & ~np.isnan(told)) for i, (_start, name) in enumerate(ranges))
    return _with_rest([part for part in of_range if part[1].any()], np.isnan(told))


def _with_rest(parts: Parts, rest: np.ndarray) -> Parts:
    return [*parts, (NOT_SAID, rest)] if parts and rest.any() else parts


def _pixels(pixels: np.ndarray) -> Message:
    low, high = (number(round(float(end) / 1000), ",") for end in (pixels.min(), pixels.max()))
    if low == high:
        return N_("{size} thousand pixels", size=low)
    return N_("{low} to {high} thousand pixels", low=low, high=high)


def _group(name: str, part: Sample, threshold: float) -> Group:
    rates = rates_at(part, threshold)
    sensitivity, specificity = rates["sensitivity"], rates["specificity"]
    return Group(name, sensitivity, specificity, auc(part) if part.has_intervals else None)
