import numpy as np
import pytest

from covidct.evaluation.metrics import Verdicts, expected_calibration_error
from covidct.evaluation.reliability import reliability
from covidct.evaluation.sample import sample_of


def test_the_bins_share_out_all_slices_and_make_up_the_calibration_error(make_slices):
    sample = sample_of(make_slices())
    bins = reliability(sample)
    assert sum(b.observed.n for b in bins) == len(sample.labels)
    assert all(b.low <= b.predicted <= b.high for b in bins)
    verdicts = Verdicts(
        sample.labels, sample.probabilities, sample.probabilities >= 0.5, sample.patients
    )
    gaps = [b.observed.n * abs(b.predicted - b.observed.value) for b in bins]
    assert sum(gaps) / len(sample.labels) == pytest.approx(expected_calibration_error(verdicts))


def test_observed_shares_come_with_intervals_where_there_are_patients_enough(make_slices):
    for b in reliability(sample_of(make_slices(200))):
        low, high = b.observed.ci95
        assert low <= b.observed.value <= high
    few = reliability(sample_of(make_slices(6)))
    assert any(b.observed.ci95 is None for b in few)


def test_a_probability_of_one_is_in_the_last_bin(make_slices):
    sample = sample_of(make_slices(ties=True))
    (last,) = [b for b in reliability(sample) if b.high == 1]
    assert last.observed.n == np.sum(sample.probabilities >= 0.9)
