"""A card, verdicts and heat maps to report on, without a network."""

from datetime import datetime

import numpy as np
import pytest

from covidct.imaging.phantom import phantom_slice
from covidct.inference.calibration import Calibration
from covidct.inference.classifier import Prediction
from covidct.inference.heatmap import HeatMap
from covidct.inference.store import ModelCard
from covidct.reports.result import Result
from covidct.reports.slice_page import SlicePage

FIGURES = {"n": 118, "patients": 56, "expected_calibration_error": 0.0848}


@pytest.fixture(scope="session")
def made():
    return datetime(2026, 1, 2, 3, 4)


@pytest.fixture(scope="session")
def card():
    return ModelCard(
        "a model",
        "0123456789abcdef" * 4,
        "efficientnet_lite0",
        (96, 128),
        "backbone",
        Calibration(1.2, 0.5, (0.4, 0.6)),
        {"validation": FIGURES},
    )


@pytest.fixture(scope="session")
def predict(card):
    def of(probability):
        calibration = card.calibration
        return Prediction(
            calibration.label(probability),
            probability,
            calibration.decision(probability),
            calibration.operating_point,
            card.model_id,
        )

    return of


@pytest.fixture(scope="session")
def page(predict):
    """A page on a synthetic slice of odd size, whose map lies mostly outside the lungs."""
    ct_slice = phantom_slice(1, 3, (161, 203)).ct_slice
    values = np.zeros(ct_slice.shape, np.float32)
    values[20:60, 30:90] = np.linspace(0, 1, 60)
    prediction = predict(0.83)
    return SlicePage("Case 3", ct_slice, prediction, HeatMap(values, "gradcam", "Positive", 0.2))


@pytest.fixture(scope="session")
def series(predict):
    """Thirty results of a series, one refused and one set aside."""
    results = [
        Result(2, number, "Secret^Patient.dcm", None, 2.5 * number, predict(number / 31), 0.7)
        for number in range(1, 31)
    ]
    results[9] = Result(2, 10, "Secret^Patient.dcm", error="The file is damaged.")
    return [*results, Result(2, None, "Secret^Patient.dcm", set_aside="A scout.")]
