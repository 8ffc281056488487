from dataclasses import replace

import numpy as np
import pytest

from covidct.inference.calibration import Calibration
from covidct.inference.classifier import Classifier, Prediction
from covidct.inference.series_verdict import series_prediction

PLAIN = Calibration()


def _slices(*probabilities):
    return [
        Prediction(PLAIN.label(p), p, PLAIN.decision(p), PLAIN.operating_point, "m@1")
        for p in probabilities
    ]


def _of_classes(*slices):
    """Slices of these probabilities, and of these shares of "A", "B" and "C" in the rest."""
    return [
        _slices(probability)[0].with_classes(dict(zip("ABC", shares, strict=True)))
        for probability, shares in slices
    ]


def _shares(verdict):
    """Of the classes without COVID-19 in what its probability leaves."""
    left = 1 - verdict.probability
    return [share / left for name, share in verdict.classes.items() if name != "COVID"]


def _random_slices(count):
    random = np.random.default_rng(0)
    shares = random.dirichlet((1, 1, 1), count).tolist()
    return _of_classes(*zip(random.random(count).tolist(), shares, strict=True))


def test_one_slice_alone_decides_nothing():
    verdict, _ = series_prediction(_slices(0.1, 0.1, 0.99, 0.1, 0.2), PLAIN)
    assert verdict.label == "Negative"
    assert verdict.probability == 0.2


def test_neighbours_that_agree_do_wherever_they_lie():
    for at in range(4):
        probabilities = [0.1] * 5
        probabilities[at : at + 2] = [0.8, 0.9]
        verdict, position = series_prediction(_slices(*probabilities), PLAIN)
        assert (verdict.label, verdict.probability, position) == ("Positive", 0.8, at)


def test_two_slices_must_agree_and_one_speaks_for_itself():
    assert series_prediction(_slices(0.9, 0.2), PLAIN)[0].probability == 0.2
    assert series_prediction(_slices(0.9), PLAIN)[0].probability == 0.9


def test_the_order_from_feet_to_head_or_back_does_not_matter():
    probabilities = np.random.default_rng(0).random(40)
    forth, back = (
        series_prediction(_slices(*some), PLAIN)[0] for some in (probabilities, probabilities[::-1])
    )
    assert forth == back


def test_classes_share_what_the_probability_of_the_series_leaves():
    slices = _random_slices(40)
    for some in (slices, slices[:3], slices[:2], slices[:1]):
        verdict, position = series_prediction(some, PLAIN)
        assert list(verdict.classes) == ["COVID", "A", "B", "C"]
        assert verdict.classes["COVID"] == verdict.probability == some[position].probability
        assert sum(verdict.classes.values()) == pytest.approx(1)
        without = series_prediction([replace(one, classes={}) for one in some], PLAIN)
        assert (replace(verdict, classes={}), position) == without
        assert without[0].classes == {}
    assert verdict.classes == pytest.approx(slices[0].classes)


def test_no_slice_alone_decides_the_classes_either():
    slices = [(0.1, (1.0, 0.0, 0.0))] * 3 + [(0.8, (0.2, 0.6, 0.2))] * 3
    for at in (3, 4, 5):
        wrong = [*slices[:at], (0.9, (0.0, 0.0, 1.0)), *slices[at + 1 :]]
        assert np.argmax(_shares(series_prediction(_of_classes(*wrong), PLAIN)[0])) == 1


def test_the_classes_are_those_of_the_slices_that_the_verdict_rests_on():
    healthy, opaque = (0.1, (0.98, 0.01, 0.01)), (0.3, (0.1, 0.7, 0.2))
    for count in (2, 3):
        slices = _of_classes(*[healthy] * 20, *[opaque] * count, *[healthy] * 20)
        assert _shares(series_prediction(slices, PLAIN)[0])[1] > 0.65
    assert _shares(series_prediction(slices, PLAIN)[0]) == pytest.approx([0.1, 0.7, 0.2])


def test_the_classes_do_not_depend_on_the_order_either():
    slices = _random_slices(40)
    for first in range(35):  # of five slices, several windows often have one median
        some = slices[first : first + 5]
        forth, back = (series_prediction(each, PLAIN)[0] for each in (some, some[::-1]))
        assert forth == back


def test_where_nothing_speaks_for_a_class_all_share_evenly():
    disagreeing = _of_classes(*((0.4, shares) for shares in np.eye(3).tolist()))
    assert _shares(series_prediction(disagreeing, PLAIN)[0]) == pytest.approx([1 / 3] * 3)
    certain, _ = series_prediction(_of_classes((1.0, (0.5, 0.3, 0.2))), PLAIN)
    assert certain.classes == {"COVID": 1, "A": 0, "B": 0, "C": 0}


def test_the_shared_series_of_a_patient_with_covid_is_positive(covid_ct):
    from covidct.imaging.anatomy.gate import check_lung_slice
    from covidct.imaging.gather import gather
    from covidct.imaging.sources import files_at

    (series,) = gather(files_at(covid_ct.parent / "dicom-ct-series" / "series"))
    classifier = Classifier.load()
    with_lungs = [ct_slice for ct_slice in series if _passes(check_lung_slice, ct_slice)]
    predictions = [classifier.classify(ct_slice) for ct_slice in with_lungs]
    verdict, _ = series_prediction(predictions, classifier.card.calibration)
    assert verdict.label == "Positive"


def _passes(check, ct_slice):
    from covidct.errors import NotALungSlice

    try:
        check(ct_slice)
    except NotALungSlice:
        return False
    return True
