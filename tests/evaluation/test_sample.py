import numpy as np
import pytest

from covidct.evaluation.sample import FEWEST_PATIENTS, sample_of


def test_a_rate_counts_and_its_interval_holds_it(make_slices):
    sample = sample_of(make_slices())
    positive = sample.probabilities >= 0.5
    rate = sample.rate(positive, sample.labels)
    assert rate.hits == np.sum(positive & sample.labels)
    assert (rate.n, rate.patients) == (90, 30)
    low, high = rate.ci95
    assert low < rate.value < high


def test_more_patients_make_a_narrower_interval_and_more_slices_of_them_do_not(make_slices):
    def width(slices):
        sample = sample_of(slices)
        low, high = sample.rate(sample.probabilities >= 0.5, sample.labels).ci95
        return high - low

    some = make_slices(40)
    assert width(make_slices(400)) < 0.6 * width(some)
    assert width(some * 5) == pytest.approx(width(some))


def test_a_rate_of_all_is_not_certain(make_slices):
    sample = sample_of(make_slices(20))
    everything = np.ones_like(sample.labels)
    low, high = sample.rate(everything, sample.labels).ci95
    assert high == 1
    assert low == pytest.approx(0.025 ** (1 / 10))
    low, high = sample.rate(~everything, sample.labels).ci95
    assert (low, high) == (0, pytest.approx(1 - 0.025 ** (1 / 10)))


def test_few_patients_have_numbers_and_no_interval(make_slices):
    sample = sample_of(make_slices())
    few = np.isin(sample.patients, np.unique(sample.patients)[: FEWEST_PATIENTS - 1])
    rate = sample.rate(sample.probabilities >= 0.5, few)
    assert rate.n == 3 * (FEWEST_PATIENTS - 1)
    assert rate.ci95 is None
    nobody = sample.rate(few, np.zeros_like(few))
    assert (nobody.hits, nobody.n) == (0, 0)
    assert np.isnan(nobody.value)
