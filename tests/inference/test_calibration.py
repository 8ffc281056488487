from itertools import product

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from covidct.inference.calibration import Calibration, fit_calibration


@pytest.fixture(scope="module")
def overconfident():
    """Labels drawn from sigmoid(z), and logits three times as large."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 5000)
    labels = rng.random(5000) < 1 / (1 + np.exp(-logits))
    return 3 * logits, labels


@pytest.fixture(scope="module")
def calibration(overconfident):
    return fit_calibration(*overconfident)


def test_the_temperature_undoes_overconfidence(calibration):
    assert calibration.temperature == pytest.approx(3, rel=0.1)


def test_calibrated_probabilities_are_frequencies(overconfident, calibration):
    logits, labels = overconfident
    probabilities = calibration.probability(logits)
    likely = (probabilities > 0.7) & (probabilities < 0.9)
    assert labels[likely].mean() == pytest.approx(probabilities[likely].mean(), abs=0.05)


def test_the_operating_point_maximises_youdens_index(overconfident, calibration):
    logits, labels = overconfident
    probabilities = calibration.probability(logits)

    def youden(threshold):
        called = probabilities >= threshold
        return called[labels].mean() + (~called[~labels]).mean()

    best = max(youden(threshold) for threshold in np.linspace(0.01, 0.99, 99))
    assert youden(calibration.operating_point) >= best - 1e-9


def test_temperature_does_not_change_the_order_and_extremes_stay_finite():
    probabilities = Calibration(temperature=0.5).probability(np.array([-1e6, -1, 0, 1, 1e6]))
    assert np.all(np.diff(probabilities) > 0)
    assert np.all((probabilities >= 0) & (probabilities <= 1))


def test_separable_logits_give_a_usable_calibration():
    calibration = fit_calibration(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1]))
    assert 0 < calibration.operating_point < 1
    labels = [calibration.label(p) for p in calibration.probability(np.array([-1.0, 1.0]))]
    assert labels == ["Negative", "Positive"]


def test_decisions_abstain_inside_the_band_only():
    calibration = Calibration(1.0, 0.5, (0.4, 0.6))
    decisions = [calibration.decision(p) for p in (0.39, 0.4, 0.59, 0.6)]
    assert decisions == ["Negative", "Uncertain", "Uncertain", "Positive"]
    assert Calibration(1.0, 0.5, (0.5, 0.5)).decision(0.5) == "Positive"


def test_the_band_leaves_few_uncertain_and_the_rest_right(overconfident, calibration):
    logits, labels = overconfident
    low, high = calibration.abstain_band
    probabilities = calibration.probability(logits)
    uncertain = (probabilities >= low) & (probabilities < high)
    right = (probabilities >= calibration.operating_point) == labels
    assert low <= calibration.operating_point <= high
    assert 0 < uncertain.mean() <= 0.2
    assert right[~uncertain].mean() > right.mean() + 0.02


def test_no_slice_is_uncertain_where_all_are_right_already():
    low, high = fit_calibration(
        np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1])
    ).abstain_band
    assert low == high


def test_the_sensitive_point_misses_few(overconfident, calibration):
    logits, labels = overconfident
    called = calibration.probability(logits) >= calibration.sensitive_point
    assert 0.95 <= called[labels].mean() < 0.97
    assert calibration.sensitive_point < calibration.operating_point


@pytest.mark.parametrize("logits", [np.zeros(20), np.linspace(2, -2, 20)])
def test_a_model_no_better_than_chance_has_an_operating_point_all_the_same(logits):
    found = fit_calibration(logits, np.arange(20) >= 10)
    points = (found.operating_point, found.sensitive_point, *found.abstain_band)
    assert all(0 <= point <= 1 for point in points)


def _noisy(seed, slices=50, noise=2.0, share=0.5):
    rng = np.random.default_rng(seed)
    labels = rng.random(slices) < share
    return noise * rng.normal(size=slices) + 2.0 * labels - 1, labels


def test_unless_fitted_a_half_divides_the_classes_and_nothing_is_uncertain():
    plain = Calibration()
    assert plain.probability(np.array([-2.0, 0.0, 2.0])) == pytest.approx(
        1 / (1 + np.exp([2.0, 0.0, -2.0]))
    )
    assert [plain.decision(p) for p in (0.499, 0.5, 0.501)] == ["Negative", "Positive", "Positive"]


def test_the_temperature_is_that_of_a_logistic_regression_without_intercept():
    logits, labels = _noisy(0, 400)
    slope = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(logits[:, None], labels)
    temperature = fit_calibration(logits, labels).temperature
    assert temperature == pytest.approx(1 / slope.coef_.item(), rel=1e-3)


def test_the_temperature_is_bounded_where_likelihood_knows_no_bound():
    order = np.linspace(-1, 1, 20)
    assert fit_calibration(order, order > 0).temperature == pytest.approx(np.exp(-3), rel=1e-3)
    assert fit_calibration(order, order < 0).temperature == pytest.approx(np.exp(3), rel=1e-3)


def test_points_lie_half_way_to_the_next_lower_probability():
    """Of 20 slices with COVID-19 one may be missed, the lowest, which lies below all others."""
    ill, others = np.r_[-3.0, np.linspace(0, 5, 19)], np.r_[np.linspace(-2, -0.5, 6), 1.1]
    logits, labels = np.r_[ill, others], np.r_[np.ones(20), np.zeros(7)]
    calibration = fit_calibration(logits, labels)
    lowest, below = calibration.probability(np.array([0.0, -0.5]))
    assert calibration.operating_point == pytest.approx((lowest + below) / 2)
    assert calibration.sensitive_point == pytest.approx((lowest + below) / 2)


def test_one_probability_for_all_is_the_point_itself():
    assert fit_calibration(np.zeros(20), np.arange(20) >= 10).operating_point == 0.5


@pytest.mark.parametrize("seed", range(6))
def test_the_sensitive_point_is_the_highest_with_enough_sensitivity_or_the_operating_point(seed):
    logits, labels = _noisy(seed, 60)
    calibration = fit_calibration(logits, labels)
    probabilities = np.sort(calibration.probability(logits))
    edges = (probabilities[1:] + probabilities[:-1]) / 2
    ill = calibration.probability(logits[labels])
    enough = max(edge for edge in (0.0, *edges) if np.mean(ill >= edge) >= 0.95)
    expected = min(enough, calibration.operating_point)
    called = probabilities >= calibration.sensitive_point
    assert np.array_equal(called, probabilities >= expected)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("noise", [0.7, 1.0, 1.3, 2.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_other_band_does_better(seed, noise, share):
    """Against all bands between neighbouring slices around the operating point."""
    logits, labels = _noisy(seed, 50, noise, share)
    calibration = fit_calibration(logits, labels)
    said = calibration.probability(logits)
    point, right = calibration.operating_point, (said >= calibration.operating_point) == labels
    in_order = np.sort(said)
    edges = np.r_[0.0, (in_order[1:] + in_order[:-1]) / 2, 1.0]

    def outcome(low, high):
        """Slices that are uncertain, and the accuracy of the rest."""
        uncertain = (said >= low) & (said < high)
        return uncertain.sum(), right[~uncertain].sum() / max(1, np.sum(~uncertain))

    lows, highs = (np.r_[point, edges[side]] for side in (edges < point, edges > point))
    bands = [outcome(low, high) for low, high in product(lows, highs)]
    allowed = [band for band in bands if band[0] <= 10]
    good = [band for band in allowed if band[1] >= 0.92]
    count, accuracy = outcome(*calibration.abstain_band)
    assert 0 <= min(calibration.abstain_band) <= max(calibration.abstain_band) <= 1
    assert count <= 10
    if good:
        assert (count, accuracy >= 0.92) == (min(good)[0], True)
    else:
        assert accuracy == pytest.approx(max(accuracy for _, accuracy in allowed))


def test_nothing_is_uncertain_where_just_enough_are_right():
    """Two mistakes of 25 are 0.92."""
    logits = np.linspace(-3, 3, 25)
    labels = logits > 0.1
    labels[[3, -4]] ^= True
    low, high = fit_calibration(logits, labels).abstain_band
    assert low == high


def test_the_edges_of_the_band_lie_half_way_between_slices():
    """Three mistakes next to the point, which is above them; the rest is right."""
    logits = np.linspace(-3, 3, 31)
    labels = logits > 0.1
    labels[[13, 14, 15]] = True
    labels[16] = False
    calibration = fit_calibration(logits, labels)
    said = calibration.probability(logits)
    edges = np.r_[(said[1:] + said[:-1]) / 2, calibration.operating_point]
    for edge in calibration.abstain_band:
        assert np.min(np.abs(edges - edge)) < 1e-12


def test_a_band_may_reach_to_either_end():
    """One of ten is wrong, the first or the last; without it and its neighbour all are right."""
    logits = np.linspace(-2, 2, 10)
    lowest = fit_calibration(logits, np.array([1, 0, 1, 1, 1, 1, 1, 1, 1, 1]))
    highest = fit_calibration(logits, np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 0]))
    assert lowest.abstain_band == (0, lowest.operating_point)
    assert highest.abstain_band == (highest.operating_point, 1)
