import numpy as np
import pytest

from covidct.evaluation.faithfulness.perturbation import deletion_and_insertion
from covidct.imaging.phantom import phantom_slice


@pytest.fixture(scope="module")
def one_side(linear_classifier):
    """A network to which the dark left half of its input speaks for COVID-19, and its weights."""
    weights = np.zeros((48, 64))
    weights[:, :32] = -0.02
    return linear_classifier(weights), weights


@pytest.fixture(scope="module")
def evidence(one_side):
    classifier, _ = one_side
    return classifier.predict(phantom_slice(3, 2, 160).ct_slice)


def test_the_places_that_count_score_better_than_those_that_do_not(one_side, evidence):
    classifier, weights = one_side
    good = deletion_and_insertion(classifier, evidence, np.abs(weights))
    bad = deletion_and_insertion(classifier, evidence, np.abs(np.fliplr(weights)))
    if not evidence.prediction.is_positive:
        good, bad = bad, good
    assert good["deletion"] < bad["deletion"]
    assert good["insertion"] > bad["insertion"]
    assert all(0 <= area <= 1 for areas in (good, bad) for area in areas.values())


def test_only_the_order_of_the_places_counts(one_side, evidence):
    classifier, weights = one_side
    heat = np.abs(weights) * np.linspace(1, 2, 64)
    assert deletion_and_insertion(classifier, evidence, heat) == pytest.approx(
        deletion_and_insertion(classifier, evidence, 7 * heat)
    )


def test_a_network_that_hears_nothing_has_no_slope(linear_classifier):
    deaf = linear_classifier(np.zeros((48, 64)))
    evidence = deaf.predict(phantom_slice(3, 2, 160).ct_slice)
    areas = deletion_and_insertion(deaf, evidence, np.ones((6, 8)))
    assert areas == pytest.approx({"deletion": 0.5, "insertion": 0.5})
