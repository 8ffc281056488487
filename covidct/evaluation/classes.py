"""How well a model tells all classes apart, where it knows several without COVID-19.

A slice is called COVID-19 where its verdict is Positive, else the likeliest of the other classes:
no call contradicts the verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from covidct.evaluation.results import Reviewed
from covidct.evaluation.sample import FEWEST_PATIENTS
from covidct.stats.bootstrap import (
    Measured,
    fewest_patients,
    interval,
    mean_aucs,
    patient_weights,
    weighted_aucs,
)


@dataclass(frozen=True, slots=True, eq=False)
class ClassVerdicts:
    """What a model said of slices of the classes that it knows, at least two of which are there.

    Attributes:
        names: of the K classes that the model knows, COVID-19 first.
        truth: int (N,), what each slice is labelled, as its place among the names.
        probabilities: float (N, K), calibrated, of each class.
        positive: bool (N,), called Positive.
        patients: str (N,).
        unknown: how many slices of other classes were left out.
    """

    names: tuple[str, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    positive: np.ndarray
    patients: np.ndarray
    unknown: int

    @property
    def called(self) -> np.ndarray:
        """What each slice is called, int (N,), as its place among the names."""
        likeliest = 1 + self.probabilities[:, 1:].argmax(axis=1)
        return np.where(self.positive, 0, likeliest)


def class_verdicts(
    labels: Sequence[str],
    probabilities: Sequence[Mapping[str, float]],
    positive: Sequence[bool],
    patients: Sequence[str],
) -> ClassVerdicts | None:
    """What was said of the slices whose class the model knows.

    Args:
        labels: the class that each slice is labelled.
        probabilities: of each class, as :attr:`.Prediction.classes` has them.
        positive: whether each slice is called Positive.
        patients: of each slice.

    Returns:
        None where the model tells no classes without COVID-19 apart, or knows fewer than two of
        those that have slices.
    """
    names = tuple(probabilities[0]) if probabilities else ()
    known = [i for i, label in enumerate(labels) if label in names]
    truth = np.array([names.index(labels[i]) for i in known], int)
    if len(np.unique(truth)) < 2:
        return None
    return ClassVerdicts(
        names,
        truth,
        np.array([[probabilities[i][name] for name in names] for i in known]),
        np.array([positive[i] for i in known], bool),
        np.array([patients[i] for i in known]),
        len(labels) - len(known),
    )


def class_verdicts_of(slices: Sequence[Reviewed]) -> ClassVerdicts | None:
    """The same of the slices of an evaluation."""
    return class_verdicts(
        [one.class_name for one in slices],
        [one.classes for one in slices],
        [one.is_positive for one in slices],
        [one.patient for one in slices],
    )


def confusion(verdicts: ClassVerdicts) -> np.ndarray:
    """How many slices of each class (rows) are called each (columns), int (K, K)."""
    counts = np.zeros((len(verdicts.names),) * 2, int)
    np.add.at(counts, (verdicts.truth, verdicts.called), 1)
    return counts


def summarise_classes(verdicts: ClassVerdicts, seed: int = 0) -> dict[str, Any]:
    """Figures with 95 % intervals, which draw whole patients within each class.

    For a class against the rest these count as two classes, so the interval of COVID-19 is the one
    that :func:`.summarise` gives. The mean AUC counts each class that has slices alike (macro
    average). Intervals are None where a class that they tell of has fewer than
    :data:`.FEWEST_PATIENTS` patients.

    Returns:
        names, n, unknown, confusion, accuracy, mean_roc_auc and under "each" by class n, patients
        and roc_auc, against the rest; each interval under "<name>_ci95" as [low, high].
    """
    truth, patients = verdicts.truth, verdicts.patients
    weights = patient_weights(truth, patients, seed)
    present = np.unique(truth).tolist()
    enough = {k: fewest_patients(truth == k, patients) >= FEWEST_PATIENTS for k in present}
    right = weights @ (verdicts.called == truth) / weights.sum(axis=1)
    mean = mean_aucs(truth, verdicts.probabilities, weights)
    alone = {k: _aucs(verdicts, k, patient_weights(truth == k, patients, seed)) for k in present}
    return {
        "names": list(verdicts.names),
        "n": len(truth),
        "unknown": verdicts.unknown,
        "confusion": confusion(verdicts).tolist(),
        **_figure("accuracy", _measured(right, all(enough.values()))),
        **_figure("mean_roc_auc", _measured(mean, all(enough.values()))),
        "each": {
            name: {
                "n": int(np.sum(truth == k)),
                "patients": len(np.unique(patients[truth == k])),
                **_figure("roc_auc", _measured(alone[k], enough[k]) if k in alone else None),
            }
            for k, name in enumerate(verdicts.names)
        },
    }


def _aucs(verdicts: ClassVerdicts, k: int, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of a class against the rest, (R,), for weights (R, N); NaN where
    one of them was not drawn."""
    with np.errstate(invalid="ignore"):
        return weighted_aucs(verdicts.truth == k, verdicts.probabilities[:, k], weights)


def _measured(values: np.ndarray, has_interval: bool) -> Measured:
    """A figure of the data as they are (first) and of each bootstrap sample."""
    value, resampled = float(values[0]), values[1:]
    return Measured(value, interval(resampled[np.isfinite(resampled)]) if has_interval else None)


def _figure(name: str, measured: Measured | None) -> dict[str, Any]:
    return {
        name: measured and measured.value,
        f"{name}_ci95": list(measured.ci95) if measured and measured.ci95 else None,
    }
