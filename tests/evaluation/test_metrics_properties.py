"""Properties of the figures that hold for any verdicts, by Hypothesis."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.evaluation.metrics import (
    Verdicts,
    accuracy,
    calibration_bins,
    decided,
    expected_calibration_error,
    roc_auc,
    sensitivity,
    share_among_patients,
    specificity,
)

few = settings(max_examples=60, deadline=None, derandomize=True)
RATES = (accuracy, sensitivity, specificity, roc_auc)
probabilities = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
slices = st.tuples(st.booleans(), probabilities, st.integers(0, 5))


@st.composite
def verdicts(draw: st.DrawFn) -> Verdicts:
    """Of both classes, called by a threshold."""
    drawn = draw(st.lists(slices, min_size=0, max_size=30))
    drawn += [(True, draw(probabilities), 6), (False, draw(probabilities), 7)]
    labels, said, patients = map(np.array, zip(*drawn, strict=True))
    return Verdicts(labels, said, said >= draw(probabilities), patients.astype(str))


def even(some: Verdicts) -> np.ndarray:
    return np.ones(len(some.labels))


@few
@given(verdicts())
def test_every_figure_is_a_share_and_never_nan(some):
    figures = [rate(some, even(some)) for rate in RATES]
    figures.append(expected_calibration_error(some))
    assert all(0 <= figure <= 1 for figure in figures)


@few
@given(verdicts(), st.randoms(use_true_random=False))
def test_the_order_of_slices_does_not_count(some, chance):
    order = list(range(len(some.labels)))
    chance.shuffle(order)
    other = Verdicts(
        *(part[order] for part in (some.labels, some.probabilities, some.positive, some.patients))
    )
    for rate in RATES:
        assert rate(other, even(other)) == pytest.approx(rate(some, even(some)))
    assert expected_calibration_error(other) == pytest.approx(expected_calibration_error(some))


@few
@given(verdicts(), st.integers(1, 4))
def test_a_weight_counts_as_so_many_slices(some, times):
    repeated = Verdicts(
        *(
            np.repeat(part, times)
            for part in (some.labels, some.probabilities, some.positive, some.patients)
        )
    )
    for rate in RATES:
        weighted = rate(some, times * even(some))
        assert rate(repeated, even(repeated)) == pytest.approx(weighted)


@few
@given(verdicts())
def test_turning_the_classes_round_turns_the_figures_round(some):
    turned = Verdicts(~some.labels, 1 - some.probabilities, ~some.positive, some.patients)
    weights = even(some)
    assert sensitivity(turned, weights) == pytest.approx(specificity(some, weights))
    assert accuracy(turned, weights) == pytest.approx(accuracy(some, weights))
    assert roc_auc(turned, weights) == pytest.approx(roc_auc(some, weights))


@few
@given(verdicts())
def test_the_area_under_the_curve_asks_for_the_order_alone(some):
    squeezed = Verdicts(some.labels, some.probabilities**3, some.positive, some.patients)
    assert roc_auc(squeezed, even(some)) == pytest.approx(roc_auc(some, even(some)))


@few
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_each_probability_has_its_bin(said):
    bins = calibration_bins(np.array(said))
    assert bins.min() >= 0 and bins.max() <= 9
    assert (np.diff(bins[np.argsort(said)]) >= 0).all()


@few
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=40))
def test_an_interval_of_a_share_holds_it(seen):
    happened, patients = map(np.array, zip(*seen, strict=True))
    measured = share_among_patients(happened, patients.astype(str))
    low, high = measured.ci95
    assert 0 <= low <= measured.value <= high <= 1


@few
@given(verdicts())
def test_what_is_decided_and_what_is_uncertain_make_up_the_whole(some):
    assert decided(some, (0.5, 0.5)) == {
        "uncertain": 0.0,
        "accuracy": pytest.approx(accuracy(some, even(some))),
    }
