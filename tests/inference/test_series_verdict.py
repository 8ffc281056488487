import numpy as np

from covidct.inference.calibration import Calibration
from covidct.inference.classifier import Classifier, Prediction
from covidct.inference.series_verdict import series_prediction

PLAIN = Calibration()


def _slices(*probabilities):
    return [
        Prediction(PLAIN.label(p), p, PLAIN.decision(p), PLAIN.operating_point, "m@1")
        for p in probabilities
    ]


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
