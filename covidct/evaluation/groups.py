"""Results by where slices come from: their file format and their size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from covidct.evaluation.curves import auc
from covidct.evaluation.operating_point import rates_at
from covidct.evaluation.results import Reviewed
from covidct.evaluation.sample import Rate, Sample
from covidct.messages import N_, Message, joined
from covidct.stats.bootstrap import Measured

_PARTS = (N_("Smallest third"), N_("Middle third"), N_("Largest third"))


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


def by_source(slices: Sequence[Reviewed], sample: Sample, threshold: float) -> tuple[Group, ...]:
    """A group for each file format, the most frequent first; empty where it was not recorded."""
    sources = np.array([one.source for one in slices])
    names, counts = np.unique(sources[sources != ""], return_counts=True)
    return tuple(
        _group(str(names[i]), sample.part(sources == names[i]), threshold)
        for i in np.argsort(-counts, kind="stable")
    )


def by_size(slices: Sequence[Reviewed], sample: Sample, threshold: float) -> tuple[Group, ...]:
    """Thirds by the number of pixels; fewer where many are alike, empty where not recorded."""
    pixels = np.array([one.shape[0] * one.shape[1] for one in slices])
    if not pixels.all():
        return ()
    third = np.digitize(pixels, np.quantile(pixels, (1 / 3, 2 / 3)), right=True)
    parts = np.unique(third).tolist()

    def group(part: int) -> Group:
        members = third == part
        title = _PARTS[part] if len(parts) > 1 else N_("All")
        name = joined(title, _range(pixels[members]), by=", ")
        return _group(name, sample.part(members), threshold)

    return tuple(map(group, parts))


def _range(pixels: np.ndarray) -> Message:
    low, high = (f"{round(float(end) / 1000):,}" for end in (pixels.min(), pixels.max()))
    if low == high:
        return N_("{size} thousand pixels", size=low)
    return N_("{low} to {high} thousand pixels", low=low, high=high)


def _group(name: str, part: Sample, threshold: float) -> Group:
    rates = rates_at(part, threshold)
    sensitivity, specificity = rates["sensitivity"], rates["specificity"]
    return Group(name, sensitivity, specificity, auc(part) if part.has_intervals else None)
