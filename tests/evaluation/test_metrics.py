import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, roc_auc_score

from covidct.evaluation.metrics import (
    Verdicts,
    expected_calibration_error,
    share_among_patients,
    summarise,
)


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
    assert figures["confusion"]["COVID called Negative"] == fn
    assert (figures["n"], figures["patients"]) == (180, 60)


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


def test_a_share_among_single_slices_has_the_exact_interval():
    happened = np.arange(80) < 7
    share = share_among_patients(happened, np.arange(80).astype(str))
    exact = binomtest(7, 80).proportion_ci(method="exact")
    assert share.value == 7 / 80
    assert share.ci95 == pytest.approx((exact.low, exact.high))


def test_what_was_never_seen_may_still_happen_and_slices_of_a_patient_tell_no_more_of_it():
    patients = np.repeat(np.arange(30).astype(str), 4)
    share = share_among_patients(np.zeros(120, bool), patients)
    assert (share.value, share.ci95[0]) == (0, 0)
    assert share.ci95[1] == share_among_patients(np.zeros(30, bool), patients[::4]).ci95[1] > 0.05
