import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from covidct.stats.bootstrap import (
    measured_auc,
    measured_mean_auc,
    patient_weights,
    weighted_aucs,
)


@pytest.fixture
def slices():
    """Labels, scores with ties, and patients of 90 slices."""
    rng = np.random.default_rng(3)
    labels = np.arange(90) % 2
    scores = np.round(rng.random(90) + 0.3 * labels, 1)
    return labels, scores, np.array([f"{i % 2}{i // 6}" for i in range(90)])


def test_aucs_of_all_samples_at_once_are_those_of_scikit_learn(slices):
    labels, scores, patients = slices
    weights = patient_weights(labels, patients)[:50]
    expected = [roc_auc_score(labels, scores, sample_weight=weight) for weight in weights]
    assert weighted_aucs(labels, scores, weights) == pytest.approx(expected)


def test_samples_draw_whole_patients_and_as_many_of_each_class(slices):
    labels, _, patients = slices
    for weight in patient_weights(labels, patients)[:20]:
        of_patient = {(patient, count) for patient, count in zip(patients, weight, strict=True)}
        assert len(of_patient) == len(set(patients))
        for label in (0, 1):
            drawn = sum(count for patient, count in of_patient if patient[0] == str(label))
            assert drawn == len(set(patients[labels == label]))


def test_the_interval_holds_the_value(slices):
    auc = measured_auc(*slices)
    assert auc.ci95[0] < auc.value < auc.ci95[1]
    assert auc.value == pytest.approx(roc_auc_score(*slices[:2]))


def test_patients_of_several_classes_are_drawn_among_themselves():
    labels, patients = np.array([0, 0, 1, 1, 0, 1, 0, 1]), np.array(list("abcdeeff"))
    weights = patient_weights(labels, patients)
    for same in ([0, 1], [2, 3], [4, 6]):  # two patients each
        assert (weights[:, same].sum(axis=1) == 2).all()
    assert (weights[:, 4] == weights[:, 5]).all()


@pytest.mark.parametrize("patient_of", [lambda i: i, lambda i: i // 2])  # of one class, of two
def test_the_mean_auc_of_several_classes_is_that_of_scikit_learn(patient_of):
    truth = np.arange(90) % 3
    probabilities = np.random.default_rng(4).dirichlet((1, 1, 1), 90) + 0.3 * np.eye(3)[truth]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    patients = np.array([str(patient_of(i)) for i in range(90)])
    auc = measured_mean_auc(truth, probabilities, patients)
    assert auc.value == pytest.approx(roc_auc_score(truth, probabilities, multi_class="ovr"))
    assert auc.ci95[0] < auc.value < auc.ci95[1]
