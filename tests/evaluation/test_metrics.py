import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score

from covidct.evaluation.metrics import (
    Verdicts,
    accuracy,
    calibration_bins,
    decided,
    expected_calibration_error,
    judged,
    sensitivity,
    share_among_patients,
    specificity,
    summarise,
)
from covidct.stats.bootstrap import Measured


def _verdicts(patients=60, slices_each=3, seed=0):
    rng = np.random.default_rng(seed)
    ill = np.repeat(rng.random(patients) < 0.5, slices_each)
    logits = np.repeat(rng.normal(size=patients), slices_each) + 1.5 * ill - 0.7
    probabilities = 1 / (1 + np.exp(-logits))
    names = np.repeat([f"p{i}" for i in range(patients)], slices_each)
    return Verdicts(ill, probabilities, probabilities >= 0.5, names)


def test_figures_agree_with_scikit_learn():
    verdicts = _verdicts()
    figures = summarise(verdicts)
    (tn, fp), (fn, tp) = confusion_matrix(verdicts.labels, verdicts.positive)
    assert figures["sensitivity"] == pytest.approx(tp / (tp + fn))
    assert figures["specificity"] == pytest.approx(tn / (tn + fp))
    assert figures["accuracy"] == pytest.approx((tp + tn) / len(verdicts.labels))
    assert figures["roc_auc"] == pytest.approx(
        roc_auc_score(verdicts.labels, verdicts.probabilities)
    )
    assert figures["confusion"] == {
        "COVID called Positive": tp,
        "COVID called Negative": fn,
        "NonCOVID called Positive": fp,
        "NonCOVID called Negative": tn,
    }
    assert (figures["n"], figures["patients"]) == (180, 60)


def test_weighted_figures_agree_with_scikit_learn():
    verdicts = _verdicts()
    weights = np.random.default_rng(5).integers(0, 4, (2, 180)).astype(float)
    rates = (sensitivity(verdicts, weights) + specificity(verdicts, weights)) / 2
    for row, rate, right in zip(weights, rates, accuracy(verdicts, weights), strict=True):
        expected = balanced_accuracy_score(verdicts.labels, verdicts.positive, sample_weight=row)
        assert rate == pytest.approx(expected)
        assert right == pytest.approx(np.average(verdicts.labels == verdicts.positive, weights=row))


def test_the_seed_of_the_intervals_is_nought_unless_another_is_given():
    verdicts = _verdicts()
    assert summarise(verdicts) == summarise(verdicts, seed=0) != summarise(verdicts, seed=1)


def test_intervals_hold_the_value_and_are_reproducible():
    one, other = summarise(_verdicts()), summarise(_verdicts())
    assert one == other
    for name in ("accuracy", "sensitivity", "specificity", "roc_auc"):
        low, high = one[f"{name}_ci95"]
        assert low < one[name] < high


def test_slices_of_one_patient_are_not_independent_evidence():
    """Showing every slice five times narrows no interval, since no patient was added."""
    verdicts = _verdicts()
    repeated = Verdicts(
        *(
            np.repeat(values, 5)
            for values in (
                verdicts.labels,
                verdicts.probabilities,
                verdicts.positive,
                verdicts.patients,
            )
        )
    )
    assert summarise(repeated)["roc_auc_ci95"] == pytest.approx(summarise(verdicts)["roc_auc_ci95"])


def test_calibration_error_is_nought_for_frequencies_and_large_for_bragging():
    labels = np.array([True] * 7 + [False] * 3)
    patients = np.arange(10).astype(str)
    honest = Verdicts(labels, np.full(10, 0.7), labels, patients)
    bragging = Verdicts(labels, np.full(10, 1.0), labels, patients)
    assert expected_calibration_error(honest) == pytest.approx(0)
    assert expected_calibration_error(bragging) == pytest.approx(0.3)


def test_the_calibration_error_is_that_of_scikit_learns_curve():
    verdicts = _verdicts()
    frequencies, said = calibration_curve(verdicts.labels, verdicts.probabilities, n_bins=10)
    counts, _ = np.histogram(verdicts.probabilities, bins=10, range=(0, 1))
    expected = np.average(np.abs(frequencies - said), weights=counts[counts > 0])
    assert expected_calibration_error(verdicts) == pytest.approx(expected)


def test_ten_bins_are_of_equal_width_and_the_last_holds_certainty():
    bins = calibration_bins(np.array([0, 0.09, 0.11, 0.5, 0.89, 0.91, 1.0]))
    assert bins.tolist() == [0, 0, 1, 5, 8, 9, 9]


def test_the_band_holds_its_lower_edge_and_not_its_upper():
    labels = np.array([False, True, False, True, True])
    said = np.array([0.1, 0.4, 0.5, 0.6, 0.3])
    verdicts = Verdicts(labels, said, said >= 0.5, np.arange(5).astype(str))
    assert decided(verdicts, (0.4, 0.6)) == {"uncertain": 0.4, "accuracy": pytest.approx(2 / 3)}


@pytest.mark.parametrize(
    ("figure", "target", "row"),
    [
        (Measured(0.3, (0.1, 0.5)), 0.3, (0.3, [0.1, 0.5], 0.3, True)),
        (Measured(0.3, (0.1, 0.5)), 0.29, (0.3, [0.1, 0.5], 0.29, False)),
        (Measured(0.3, None), 0.4, (0.3, None, 0.4, True)),
        (Measured(0.0, (0.0, 0.2)), 0.0, (0.0, [0.0, 0.2], 0.0, True)),
        (Measured(0.3, None), None, (0.3, None, None, None)),
        (None, 0.4, (None, None, 0.4, None)),
        (None, None, (None, None, None, None)),
    ],
)
def test_a_figure_meets_a_target_that_it_does_not_exceed(figure, target, row):
    keys = ("share", "share_ci95", "target", "met")
    assert judged("share", figure, target) == dict(zip(keys, row, strict=True))


def test_a_share_among_single_slices_has_the_exact_interval():
    happened = np.arange(80) < 7
    share = share_among_patients(happened, np.arange(80).astype(str))
    exact = binomtest(7, 80).proportion_ci(method="exact")
    assert share.value == 7 / 80
    assert share.ci95 == pytest.approx((exact.low, exact.high))


def test_a_share_among_patients_has_the_interval_of_as_many_slices_as_patients():
    patients = np.repeat(np.arange(20).astype(str), 3)
    for hits in (6, 30, 60):
        share = share_among_patients(np.arange(60) < hits, patients)
        exact = binomtest(hits // 3, 20).proportion_ci(method="exact")
        assert share.value == hits / 60
        assert share.ci95 == pytest.approx((exact.low, exact.high))


def test_what_was_never_seen_may_still_happen_and_slices_of_a_patient_tell_no_more_of_it():
    patients = np.repeat(np.arange(30).astype(str), 4)
    share = share_among_patients(np.zeros(120, bool), patients)
    assert (share.value, share.ci95[0]) == (0, 0)
    assert share.ci95[1] == share_among_patients(np.zeros(30, bool), patients[::4]).ci95[1] > 0.05
