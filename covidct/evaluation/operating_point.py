"""What a threshold makes of the probabilities: rates, coverage, a useful threshold."""

import math

import numpy as np

from covidct.evaluation.sample import Rate, Sample

HIGH_SENSITIVITY = 0.95


def rates_at(sample: Sample, threshold: float) -> dict[str, Rate]:
    """Sensitivity, specificity, PPV, NPV and accuracy where slices are called from a threshold on.

    The predictive values hold where COVID-19 is as common as among these slices.
    """
    positive, ill = sample.probabilities >= threshold, sample.labels
    return {
        "sensitivity": sample.rate(positive, ill),
        "specificity": sample.rate(~positive, ~ill),
        "ppv": sample.rate(ill, positive),
        "npv": sample.rate(~ill, ~positive),
        "accuracy": sample.rate(positive == ill, np.ones_like(ill)),
    }


def sensitive_threshold(sample: Sample, at_least: float = HIGH_SENSITIVITY) -> float:
    """The highest threshold whose sensitivity is at least so high; both classes present.

    It is set half-way to the next lower probability, so that it does not hang on one slice.
    """
    ill = np.sort(sample.probabilities[sample.labels])[::-1]
    last = float(ill[math.ceil(at_least * len(ill)) - 1])
    below = sample.probabilities[sample.probabilities < last]
    return (last + float(below.max())) / 2 if below.size else last


def coverage(sample: Sample, uncertain: np.ndarray, threshold: float) -> tuple[Rate, Rate]:
    """How many slices are called Uncertain, bool (N,), and how many others are called right."""
    right = (sample.probabilities >= threshold) == sample.labels
    return sample.rate(uncertain, np.ones_like(uncertain)), sample.rate(right, ~uncertain)
