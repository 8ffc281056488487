"""From a logit to a probability and a decision: temperature, operating point, abstain band."""

from dataclasses import dataclass

import numpy as np

POSITIVE, NEGATIVE, UNCERTAIN = "Positive", "Negative", "Uncertain"


MOST_UNCERTAIN, CERTAIN_ACCURACY = 0.20, 0.92
SENSITIVE = 0.95
EXTENSIVE_SHARE = 0.2  # of the lungs; with so much opaque none is called Negative without a word
DENSE = -700  # Hounsfield units; above it lung is not well aerated (doi:10.1148/radiol.2020201433)
EXTENSIVE_OPACITIES, DENSE_LUNGS, BLACK_LUNGS = "extensive opacities", "dense lungs", "black lungs"


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a network's logits are read.

    Attributes:
        temperature: divides the logit before the sigmoid (Guo et al. 2017, arXiv:1706.04599).
        operating_point: probability from which a slice is called Positive.
        abstain_band: probabilities from low up to, but not including, high are "Uncertain";
            an empty band never abstains.
        sensitive_point: a lower operating point at which sensitivity was at least 0.95, for who
            would rather look twice than miss one; None where none was chosen.
    """

    temperature: float = 1.0
    operating_point: float = 0.5
    abstain_band: tuple[float, float] = (0.5, 0.5)
    sensitive_point: float | None = None

    def probability(self, logits: np.ndarray | float) -> np.ndarray:
        """Calibrated probability of COVID-19, float64 of the shape of ``logits``."""
        return _sigmoid(np.asarray(logits, np.float64) / self.temperature)

    def label(self, probability: float) -> str:
        """ "Positive" or "Negative"."""
        return POSITIVE if probability >= self.operating_point else NEGATIVE

    def decision(self, probability: float) -> str:
        """The label, or "Uncertain" inside the abstain band."""
        low, high = self.abstain_band
        return UNCERTAIN if low <= probability < high else self.label(probability)


def fit_calibration(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Temperature by maximum likelihood, operating point by Youden's index, abstain band.

    Youden's index (Youden 1950) is the largest sum of sensitivity and specificity. Thresholds are
    set half-way to the next lower probability, so that they do not hang on one slice. The band
    around the operating point is the one that leaves the fewest slices uncertain with at least
    0.92 accuracy on the rest, or the best accuracy, where that cannot be had with a fifth of them
    uncertain.

    Args:
        logits: float (N,), of slices that were not trained on.
        labels: (N,), 1 for COVID-19; both classes present.
    """
    # Imported here: reading a calibration needs neither, and both take longer than a verdict
    from scipy.optimize import minimize_scalar
    from sklearn.metrics import roc_curve

    logits = np.asarray(logits, np.float64)
    labels = np.asarray(labels) == 1

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - labels * scaled))

    found = minimize_scalar(negative_log_likelihood, bounds=(-3, 3), method="bounded")
    temperature = float(np.exp(found.x))
    probabilities = _sigmoid(logits / temperature)
    # From the first on that calls a slice Positive: before it stands infinity, which a model that
    # is no better than chance would get
    false_positives, true_positives, thresholds = (
        one[1:] for one in roc_curve(labels, probabilities, drop_intermediate=False)
    )
    best = thresholds[np.argmax(true_positives - false_positives)]
    sensitive = thresholds[np.argmax(true_positives >= SENSITIVE)]
    operating_point = _half_way_below(best, probabilities)
    return Calibration(
        temperature,
        operating_point,
        _abstain_band(probabilities, labels, operating_point),
        min(operating_point, _half_way_below(sensitive, probabilities)),
    )


def _half_way_below(threshold: float, probabilities: np.ndarray) -> float:
    below = probabilities[probabilities < threshold]
    return float((threshold + below.max()) / 2) if below.size else float(threshold)


def _abstain_band(
    probabilities: np.ndarray, labels: np.ndarray, operating_point: float
) -> tuple[float, float]:
    """Edges half-way between neighbouring probabilities, one at most and one at least the point."""
    order = np.argsort(probabilities)
    sorted_probabilities = probabilities[order]
    right = labels[order] == (sorted_probabilities >= operating_point)
    right_before = np.concatenate([[0], np.cumsum(right)])
    count = len(order)
    middle = int(np.searchsorted(sorted_probabilities, operating_point))
    low, high = np.meshgrid(np.arange(middle + 1), np.arange(middle, count + 1), indexing="ij")
    uncertain = high - low
    certain = np.maximum(count - uncertain, 1)
    accuracy = (right_before[-1] - right_before[high] + right_before[low]) / certain
    allowed = uncertain <= MOST_UNCERTAIN * count
    good = allowed & (accuracy >= CERTAIN_ACCURACY)
    score = np.where(good, -uncertain, -np.inf) if good.any() else np.where(allowed, accuracy, -1)
    chosen = np.unravel_index(np.argmax(score), score.shape)
    if uncertain[chosen] == 0:
        return operating_point, operating_point
    edges = np.concatenate(
        [[0.0], (sorted_probabilities[1:] + sorted_probabilities[:-1]) / 2, [1.0]]
    )
    edges[middle] = operating_point
    return float(edges[low[chosen]]), float(edges[high[chosen]])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))
