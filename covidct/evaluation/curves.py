"""ROC and precision-recall curves with bands that draw whole patients."""

from dataclasses import dataclass

import numpy as np

from covidct.evaluation.sample import Sample
from covidct.stats.bootstrap import Measured, interval

_GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve with its 95 % band, point by point; no band where there are too few patients.

    Attributes:
        x: float (K,), of the curve's corners, rising.
        y: float (K,).
        grid: float (G,), where the band is measured, G = 0 where there is none.
        low: float (G,), its lower edge.
        high: float (G,), its upper edge.
        area: under the curve, with its interval.
    """

    x: np.ndarray
    y: np.ndarray
    grid: np.ndarray
    low: np.ndarray
    high: np.ndarray
    area: Measured


def roc(sample: Sample) -> Curve:
    """Sensitivity (y) by 1 - specificity (x); the band is vertical (Fawcett 2006, section 8)."""
    found, alarms = _called_positive(sample)
    y, x = found / found[:, -1:], alarms / alarms[:, -1:]
    return _curve(
        sample,
        x[0],
        y[0],
        np.stack([np.interp(_GRID, *row) for row in zip(x[1:], y[1:], strict=True)]),
        np.trapezoid(y, x, axis=1),
    )


def precision_recall(sample: Sample) -> Curve:
    """Precision (y) by recall (x); the area is the average precision, without interpolation."""
    found, alarms = _called_positive(sample)
    recall, called = found / found[:, -1:], found + alarms
    precision = np.divide(found, called, out=np.ones_like(found), where=called > 0)
    reached = [
        row[np.searchsorted(steps, _GRID - 1e-9)]
        for steps, row in zip(recall[1:], precision[1:], strict=True)
    ]
    area = np.sum(np.diff(recall, axis=1) * precision[:, 1:], axis=1)
    return _curve(sample, recall[0], precision[0], np.stack(reached), area)


def auc(sample: Sample) -> Measured | None:
    """Area under the ROC curve; None where the slices are all of one class."""
    if sample.labels.all() or not sample.labels.any():
        return None
    found, alarms = _called_positive(sample)
    drawn = (found[:, -1] > 0) & (alarms[:, -1] > 0)
    found, alarms = found[drawn], alarms[drawn]
    areas = np.trapezoid(found / found[:, -1:], alarms / alarms[:, -1:], axis=1)
    return _area(sample, areas)


def _curve(
    sample: Sample, x: np.ndarray, y: np.ndarray, resampled: np.ndarray, areas: np.ndarray
) -> Curve:
    grid = low = high = np.empty(0)
    if sample.has_intervals:
        grid, (low, high) = _GRID, np.percentile(resampled, (2.5, 97.5), axis=0)
    return Curve(x, y, grid, low, high, _area(sample, areas))


def _area(sample: Sample, areas: np.ndarray) -> Measured:
    return Measured(float(areas[0]), interval(areas[1:]) if sample.has_intervals else None)


def _called_positive(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """COVID-19 and other slices at or above each threshold, from none to all, in each sample.

    Returns:
        Two float arrays (R, K), a column for each different probability after one of zeros.
    """
    order = np.argsort(-sample.probabilities, kind="stable")
    falls = np.append(np.diff(sample.probabilities[order]) < 0, True)
    labels, weights = sample.labels[order], sample.weights[:, order]
    found, alarms = (
        np.pad(np.cumsum(weights * of_class, axis=1)[:, falls], ((0, 0), (1, 0)))
        for of_class in (labels, ~labels)
    )
    return found, alarms
