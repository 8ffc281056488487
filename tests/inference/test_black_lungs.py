"""A picture whose lungs a mediastinal window has blackened gets no verdict without a word."""

import cv2
import numpy as np
import pytest

from covidct.imaging.dicom.window import LUNG, Window
from covidct.imaging.phantom import phantom_slice
from covidct.inference.calibration import BLACK_LUNGS, UNCERTAIN
from covidct.inference.cases import groups_at
from covidct.inference.judge import Judged, judge
from covidct.inference.series_verdict import series_prediction
from covidct.reports.words import DOUBTS, cautions, verdict_sentence


@pytest.fixture(scope="module")
def windowed(tmp_path_factory):
    """One slice in two windows, as PNG pictures."""
    drawn = phantom_slice(4, 4, 320).ct_slice.pixels
    hounsfield = drawn * (LUNG.width / 255) + LUNG.centre - LUNG.width / 2
    folder = tmp_path_factory.mktemp("windows")
    for name, window in (("a-lung", LUNG), ("b-mediastinal", Window(40, 400))):
        cv2.imwrite(str(folder / f"{name}.png"), window.apply(hounsfield))
    return folder


def test_the_decision_is_uncertain_and_the_reason_is_said(shipped, windowed):
    outcomes = [one for _, found in judge(shipped, groups_at([windowed])) for one in found]
    lung, mediastinal = outcomes
    assert all(isinstance(one, Judged) for one in outcomes)
    assert lung.prediction.doubt != BLACK_LUNGS
    assert DOUBTS[BLACK_LUNGS] not in cautions(lung.prediction, lung.lung_share)
    assert mediastinal.prediction.decision == UNCERTAIN
    assert DOUBTS[BLACK_LUNGS] in cautions(mediastinal.prediction, mediastinal.lung_share)
    band = shipped.card.calibration.abstain_band
    assert verdict_sentence(mediastinal.prediction, band) == DOUBTS[BLACK_LUNGS]
    assert mediastinal.seen[1].prediction == mediastinal.prediction


def test_a_series_that_rests_on_such_a_slice_is_uncertain_too(shipped, windowed):
    calibration = shipped.card.calibration
    lung, mediastinal = (
        one.prediction for _, found in judge(shipped, groups_at([windowed])) for one in found
    )
    verdict, _ = series_prediction([mediastinal] * 4, calibration)
    assert (verdict.decision, verdict.doubt) == (UNCERTAIN, BLACK_LUNGS)
    verdict, _ = series_prediction([lung] * 4, calibration)
    assert verdict.doubt != BLACK_LUNGS
    assert np.isclose(verdict.probability, lung.probability)
