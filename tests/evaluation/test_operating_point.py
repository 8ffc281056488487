import numpy as np
import pytest

from covidct.evaluation.metrics import Verdicts, summarise
from covidct.evaluation.operating_point import coverage, rates_at, sensitive_threshold
from covidct.evaluation.sample import sample_of


@pytest.fixture
def sample(make_slices):
    return sample_of(make_slices())


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.6])
def test_rates_and_intervals_are_those_of_the_command_line(sample, threshold):
    positive = sample.probabilities >= threshold
    figures = summarise(Verdicts(sample.labels, sample.probabilities, positive, sample.patients))
    rates = rates_at(sample, threshold)
    for name in ("accuracy", "sensitivity", "specificity"):
        assert rates[name].value == pytest.approx(figures[name])
        assert rates[name].ci95 == pytest.approx(figures[f"{name}_ci95"])
    assert rates["ppv"].hits == rates["sensitivity"].hits
    assert rates["npv"].hits == rates["specificity"].hits
    assert rates["ppv"].n + rates["npv"].n == rates["accuracy"].n == figures["n"]


def test_thresholds_at_the_ends_call_all_or_none(sample):
    everyone, no_one = rates_at(sample, 0.0), rates_at(sample, 1.1)
    assert (everyone["sensitivity"].value, everyone["specificity"].value) == (1, 0)
    assert (no_one["sensitivity"].value, no_one["specificity"].value) == (0, 1)
    assert no_one["ppv"].n == everyone["npv"].n == 0


@pytest.mark.parametrize("at_least", [0.5, 0.95, 1.0])
def test_the_sensitive_threshold_is_the_highest_that_is_sensitive_enough(sample, at_least):
    threshold = sensitive_threshold(sample, at_least)
    assert rates_at(sample, threshold)["sensitivity"].value >= at_least
    above = sample.probabilities[sample.labels & (sample.probabilities >= threshold)].min()
    higher = np.nextafter(above, 1)
    assert rates_at(sample, higher)["sensitivity"].value < at_least


def test_abstaining_leaves_the_rest(sample, make_slices):
    uncertain = np.array([one.decision == "Uncertain" for one in make_slices()])
    abstained, right = coverage(sample, uncertain, 0.5)
    assert abstained.hits == uncertain.sum()
    assert abstained.hits + right.n == len(uncertain)
    assert right.value > rates_at(sample, 0.5)["accuracy"].value
