"""Judged slices as arrays, with the bootstrap over their patients that every interval rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from covidct.evaluation.metrics import share_among_patients
from covidct.evaluation.results import Reviewed
from covidct.stats.bootstrap import fewest_patients, interval, patient_weights

FEWEST_PATIENTS = 5  # below, a rate is a count and has no interval


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of some slices are as asked for.

    Attributes:
        hits: that many,
        n: of so many slices,
        patients: of so many patients.
        ci95: low and high; None where there are fewer than :data:`FEWEST_PATIENTS`.
    """

    hits: int
    n: int
    patients: int
    ci95: tuple[float, float] | None

    @property
    def value(self) -> float:
        """Share of the slices, 0 to 1; NaN where there are none."""
        return self.hits / self.n if self.n else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Labelled slices with probabilities.

    Attributes:
        labels: bool (N,), True for COVID-19.
        probabilities: float (N,).
        patients: str (N,).
        weights: float (R, N), how often each slice counts in the data as they are (row 0) and in
            each bootstrap sample.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    patients: np.ndarray
    weights: np.ndarray

    @property
    def has_intervals(self) -> bool:
        """Whether each class has :data:`FEWEST_PATIENTS` patients, so that chance can be told."""
        return fewest_patients(self.labels, self.patients) >= FEWEST_PATIENTS

    def part(self, members: np.ndarray) -> "Sample":
        """Some of the slices, bool (N,), in the same bootstrap samples."""
        return Sample(
            self.labels[members],
            self.probabilities[members],
            self.patients[members],
            self.weights[:, members],
        )

    def rate(self, hits: np.ndarray, among: np.ndarray) -> Rate:
        """How many of the slices `among` are `hits`, both bool (N,).

        The bootstrap has nothing to say where all or none are: there the interval is that of
        :func:`covidct.evaluation.metrics.share_among_patients`.
        """
        found, n = int(np.sum(hits & among)), int(np.sum(among))
        patients = len(np.unique(self.patients[among]))
        if patients < FEWEST_PATIENTS:
            return Rate(found, n, patients, None)
        if found in (0, n):
            exact = share_among_patients(hits[among], self.patients[among])
            return Rate(found, n, patients, exact.ci95)
        drawn = self.weights[1:] @ among
        resampled = (self.weights[1:] @ (hits & among))[drawn > 0] / drawn[drawn > 0]
        return Rate(found, n, patients, interval(resampled))


def sample_of(slices: Sequence[Reviewed], seed: int = 0) -> Sample:
    """The slices of an evaluation, in their order, with a bootstrap by this seed."""
    labels = np.array([one.is_covid for one in slices], bool)
    patients = np.array([one.patient for one in slices])
    return Sample(
        labels,
        np.array([one.probability for one in slices]),
        patients,
        patient_weights(labels, patients, seed),
    )
