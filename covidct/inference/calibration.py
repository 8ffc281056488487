"""From a logit to a probability and a decision: temperature, operating point, abstain band."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import roc_curve

POSITIVE, NEGATIVE, UNCERTAIN = "Positive", "Negative", "Uncertain"


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a network's logits are read.

    Attributes:
        temperature: divides the logit before the sigmoid (Guo et al. 2017, arXiv:1706.04599).
        operating_point: probability from which a slice is called Positive.
        abstain_band: probabilities from low up to, but not including, high are "Uncertain";
            an empty band never abstains.
    """

    temperature: float = 1.0
    operating_point: float = 0.5
    abstain_band: tuple[float, float] = (0.5, 0.5)

    def probability(self, logits: np.ndarray) -> np.ndarray:
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
    """Temperature by maximum likelihood and operating point by Youden's index.

    Youden's index (Youden 1950) is the largest sum of sensitivity and specificity. The threshold
    is set half-way to the next lower probability, so that it does not hang on one slice.

    Args:
        logits: float (N,), of slices that were not trained on.
        labels: (N,), 1 for COVID-19; both classes present.
    """
    logits = np.asarray(logits, np.float64)
    labels = np.asarray(labels) == 1

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - labels * scaled))

    found = minimize_scalar(negative_log_likelihood, bounds=(-3, 3), method="bounded")
    temperature = float(np.exp(found.x))
    probabilities = _sigmoid(logits / temperature)
    false_positives, true_positives, thresholds = roc_curve(
        labels, probabilities, drop_intermediate=False
    )
    chosen = thresholds[np.argmax(true_positives - false_positives)]
    below = probabilities[probabilities < chosen]
    operating_point = float((chosen + below.max()) / 2) if below.size else float(chosen)
    return Calibration(temperature, operating_point, (operating_point, operating_point))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))
