"""Whether slices with a probability of 70 % are COVID-19 seven times in ten."""

from dataclasses import dataclass

import numpy as np

from covidct.evaluation.metrics import CALIBRATION_BINS, calibration_bins
from covidct.evaluation.sample import Rate, Sample


@dataclass(frozen=True, slots=True)
class Bin:
    """Slices of about the same probability.

    Attributes:
        low: lower edge.
        high: upper edge.
        predicted: their mean probability.
        observed: how many of them are COVID-19.
    """

    low: float
    high: float
    predicted: float
    observed: Rate


def reliability(sample: Sample) -> tuple[Bin, ...]:
    """The bins that hold slices, from the lowest on (DeGroot and Fienberg 1983)."""
    bins = calibration_bins(sample.probabilities)
    return tuple(
        Bin(
            b / CALIBRATION_BINS,
            (b + 1) / CALIBRATION_BINS,
            float(sample.probabilities[bins == b].mean()),
            sample.rate(sample.labels, bins == b),
        )
        for b in np.unique(bins).tolist()
    )
