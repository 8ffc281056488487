"""Results by where slices come from: their file format and their size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from covidct.evaluation.curves import auc
from covidct.evaluation.operating_point import rates_at
from covidct.evaluation.results import Reviewed
from covidct.evaluation.sample import Rate, Sample
from covidct.stats.bootstrap import Measured

_PARTS = ("Smallest third", "Middle third", "Largest third")


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
        title = _PARTS[part] if len(parts) > 1 else "All"
        return _group(f"{title}, {_range(pixels[members])}", sample.part(members), threshold)

    return tuple(map(group, parts))


def _range(pixels: np.ndarray) -> str:
    low, high = (f"{round(float(end) / 1000):,}" for end in (pixels.min(), pixels.max()))
    return f"{low} to {high} thousand pixels" if low != high else f"{low} thousand pixels"


def _group(name: str, part: Sample, threshold: float) -> Group:
    rates = rates_at(part, threshold)
    sensitivity, specificity = rates["sensitivity"], rates["specificity"]
    return Group(name, sensitivity, specificity, auc(part) if part.has_intervals else None)
