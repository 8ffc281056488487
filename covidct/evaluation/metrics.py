"""How good a set of verdicts is, with intervals that respect that slices of a patient are alike."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

from covidct.stats.bootstrap import Measured, interval, patient_weights, weighted_aucs

CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """What a model said of labelled slices.

    Attributes:
        labels: bool (N,), True for COVID-19; both classes present.
        probabilities: float (N,), calibrated.
        positive: bool (N,), called Positive.
        patients: str (N,).
    """

    labels: np.ndarray
    probabilities: np.ndarray
    positive: np.ndarray
    patients: np.ndarray


def summarise(verdicts: Verdicts, seed: int = 0) -> dict:
    """Figures with 95 % intervals.

    Intervals draw whole patients, as :mod:`covidct.stats.bootstrap` says.

    Returns:
        n, patients, accuracy, sensitivity, specificity, roc_auc, each rate's interval under
        "<name>_ci95" as [low, high], expected_calibration_error and confusion.
    """
    rates = {
        "accuracy": accuracy,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "roc_auc": roc_auc,
    }
    weights = patient_weights(verdicts.labels, verdicts.patients, seed)
    summary: dict[str, Any] = {
        "n": len(verdicts.labels),
        "patients": len(np.unique(verdicts.patients)),
    }
    for name, rate in rates.items():
        summary[name], *resampled = rate(verdicts, weights).tolist()
        summary[f"{name}_ci95"] = list(interval(resampled))
    summary["expected_calibration_error"] = expected_calibration_error(verdicts)
    summary["confusion"] = {
        f"{truth} called {said}": int(np.sum((verdicts.labels == t) & (verdicts.positive == s)))
        for t, truth in ((True, "COVID"), (False, "NonCOVID"))
        for s, said in ((True, "Positive"), (False, "Negative"))
    }
    return summary


def accuracy(verdicts: Verdicts, weights: np.ndarray) -> np.ndarray:
    """Share of slices called as labelled, (...), for weights (..., N)."""
    return _shares(verdicts.positive == verdicts.labels, weights)


def sensitivity(verdicts: Verdicts, weights: np.ndarray) -> np.ndarray:
    """Share of COVID-19 slices called Positive, (...), for weights (..., N)."""
    ill = verdicts.labels
    return _shares(verdicts.positive[ill], weights[..., ill])


def specificity(verdicts: Verdicts, weights: np.ndarray) -> np.ndarray:
    """Share of other slices called Negative, (...), for weights (..., N)."""
    other = ~verdicts.labels
    return _shares(~verdicts.positive[other], weights[..., other])


def roc_auc(verdicts: Verdicts, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, (...), for weights (..., N)."""
    return weighted_aucs(verdicts.labels, verdicts.probabilities, weights)


def _shares(is_so: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weights @ is_so / weights.sum(axis=-1)


def expected_calibration_error(verdicts: Verdicts) -> float:
    """Mean gap between probability and observed frequency over ten bins of equal width.

    Source: Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning".
    """
    bins = calibration_bins(verdicts.probabilities)
    gaps = [
        abs(np.sum(verdicts.probabilities[bins == b]) - np.sum(verdicts.labels[bins == b]))
        for b in range(CALIBRATION_BINS)
    ]
    return float(np.sum(gaps) / len(verdicts.labels))


def calibration_bins(probabilities: np.ndarray) -> np.ndarray:
    """Which of the bins of equal width, counted from 0, a probability falls into; int (N,)."""
    return np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)


def share_among_patients(happened: np.ndarray, patients: np.ndarray) -> Measured:
    """Share of slices to which something seldom happens.

    Since no bootstrap of what was never seen gives a width, the interval is that of Clopper and
    Pearson (1934) at the effective size of the sample (Korn and Graubard 1998), taken as if the
    slices of a patient told no more than one.

    Args:
        happened: bool (N,), at least one slice.
        patients: str (N,).
    """
    share, trials = float(np.mean(happened)), len(np.unique(patients))
    often, seldom = share * trials, (1 - share) * trials
    low = float(beta.ppf(0.025, often, seldom + 1)) if often else 0.0
    high = float(beta.ppf(0.975, often + 1, seldom)) if seldom else 1.0
    return Measured(share, (low, high))


def judged(name: str, figure: Measured | None, target: float | None) -> dict[str, Any]:
    """A figure with its interval beside the greatest value it should have, as a table holds it."""
    return {
        name: figure and figure.value,
        f"{name}_ci95": list(figure.ci95) if figure and figure.ci95 else None,
        "target": target,
        "met": None if figure is None or target is None else figure.value <= target,
    }


def decided(verdicts: Verdicts, abstain_band: tuple[float, float]) -> dict[str, float]:
    """The share of slices inside the abstain band, "uncertain", and "accuracy" of the rest."""
    low, high = abstain_band
    uncertain = (verdicts.probabilities >= low) & (verdicts.probabilities < high)
    right = verdicts.positive == verdicts.labels
    return {"uncertain": float(uncertain.mean()), "accuracy": float(right[~uncertain].mean())}
