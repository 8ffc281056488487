import numpy as np
import pytest

from covidct.inference.calibration import Calibration, fit_calibration


@pytest.fixture(scope="module")
def overconfident():
    """Labels drawn from sigmoid(z), and logits three times as large."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 5000)
    labels = rng.random(5000) < 1 / (1 + np.exp(-logits))
    return 3 * logits, labels


def test_the_temperature_undoes_overconfidence(overconfident):
    assert fit_calibration(*overconfident).temperature == pytest.approx(3, rel=0.1)


def test_calibrated_probabilities_are_frequencies(overconfident):
    logits, labels = overconfident
    probabilities = fit_calibration(logits, labels).probability(logits)
    likely = (probabilities > 0.7) & (probabilities < 0.9)
    assert labels[likely].mean() == pytest.approx(probabilities[likely].mean(), abs=0.05)


def test_the_operating_point_maximises_youdens_index(overconfident):
    logits, labels = overconfident
    calibration = fit_calibration(logits, labels)
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


def test_the_band_leaves_few_uncertain_and_the_rest_right(overconfident):
    logits, labels = overconfident
    calibration = fit_calibration(logits, labels)
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


def test_the_sensitive_point_misses_few(overconfident):
    logits, labels = overconfident
    calibration = fit_calibration(logits, labels)
    called = calibration.probability(logits) >= calibration.sensitive_point
    assert 0.95 <= called[labels].mean() < 0.97
    assert calibration.sensitive_point < calibration.operating_point


@pytest.mark.parametrize("logits", [np.zeros(20), np.linspace(2, -2, 20)])
def test_a_model_no_better_than_chance_has_an_operating_point_all_the_same(logits):
    found = fit_calibration(logits, np.arange(20) >= 10)
    points = (found.operating_point, found.sensitive_point, *found.abstain_band)
    assert all(0 <= point <= 1 for point in points)
