"""Intervals that respect that slices of one patient are alike.

Percentiles of a bootstrap that draws whole patients, within each class, since slices of one patient
are no independent evidence (cluster bootstrap: Field and Welsh 2007,
doi:10.1111/j.1467-9868.2007.00593.x).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its 95 % interval, low and high; None where there are too few patients."""

    value: float
    ci95: tuple[float, float] | None


def patient_weights(labels: np.ndarray, patients: np.ndarray, seed: int = 0) -> np.ndarray:
    """How often each slice counts in the data as they are, and in each bootstrap sample.

    Args:
        labels: (N,), of classes, such as 1 or True for COVID-19.
        patients: str (N,); those of several classes are drawn among themselves.
        seed: of the bootstrap.

    Returns:
        float (1 + resamples, N); the first row, the data as they are, is all ones.
    """
    rng = np.random.default_rng(seed)
    names, patient_of_slice = np.unique(patients, return_inverse=True)
    counts = np.ones((1 + _RESAMPLES, len(names)))
    classes, class_of_slice = np.unique(labels, return_inverse=True)
    classes_of = np.zeros((len(names), len(classes)), bool)
    classes_of[patient_of_slice, class_of_slice] = True
    for some in np.unique(classes_of, axis=0):
        members = np.flatnonzero((classes_of == some).all(axis=1))
        drawn = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), _RESAMPLES)
        counts[1:, members] = drawn
    return counts[:, patient_of_slice]


def fewest_patients(labels: np.ndarray, patients: np.ndarray) -> int:
    """Patients of the class that has fewer; arguments as for :func:`patient_weights`."""
    return min(len(np.unique(patients[labels == label])) for label in (True, False))


def interval(resampled: Iterable[float]) -> tuple[float, float]:
    """The 95 % interval of a figure from its values in the bootstrap samples."""
    low, high = np.percentile(list(resampled), (2.5, 97.5)).tolist()
    return low, high


def measured_auc(
    labels: np.ndarray, scores: np.ndarray, patients: np.ndarray, seed: int = 0
) -> Measured:
    """Area under the ROC curve.

    Args:
        labels: (N,), 1 or True for COVID-19; both classes present.
        scores: float (N,), higher speaks for COVID-19.
        patients: str (N,).
        seed: of the bootstrap.
    """
    weights = patient_weights(labels, patients, seed)
    auc, *resampled = weighted_aucs(labels, scores, weights).tolist()
    return Measured(auc, interval(resampled))


def measured_mean_auc(
    truth: np.ndarray, probabilities: np.ndarray, patients: np.ndarray, seed: int = 0
) -> Measured:
    """Mean area under the ROC curve of each class against the rest (macro average).

    Args:
        truth: int (N,), the class of each slice as its column; two classes or more are present.
        probabilities: float (N, K).
        patients: str (N,).
        seed: of the bootstrap.
    """
    weights = patient_weights(truth, patients, seed)
    auc, *resampled = mean_aucs(truth, probabilities, weights).tolist()
    return Measured(auc, interval(filter(math.isfinite, resampled)))


def mean_aucs(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean area under the ROC curve of each class that is present, against the rest.

    Args:
        truth: int (N,), the class of each slice as its column.
        probabilities: float (N, K).
        weights: float (R, N).

    Returns:
        float (R,); NaN where a class was not drawn.
    """
    with np.errstate(invalid="ignore"):
        each = [weighted_aucs(truth == k, probabilities[:, k], weights) for k in np.unique(truth)]
    return np.mean(each, axis=0)


def weighted_aucs(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve for each row of weights, all at once.

    The share of pairs in which the slice with COVID-19 has the higher score, ties counted half
    (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).

    Args:
        labels: (N,), 1 or True for COVID-19.
        scores: float (N,).
        weights: float (..., N), some above nought in each class.

    Returns:
        float (...).
    """
    order = np.argsort(scores)
    _, starts = np.unique(scores[order], return_index=True)
    in_order, ill = weights[..., order], labels[order] == 1
    positive = np.add.reduceat(in_order * ill, starts, axis=-1)
    negative = np.add.reduceat(in_order * ~ill, starts, axis=-1)
    below = np.cumsum(negative, axis=-1) - negative / 2
    return (positive * below).sum(axis=-1) / (positive.sum(axis=-1) * negative.sum(axis=-1))
