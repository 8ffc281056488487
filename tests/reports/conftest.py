"""A card, verdicts and heat maps to report on, without a network."""

from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest

from covidct.errors import UnreadableSlice
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.series import Place
from covidct.inference.calibration import Calibration
from covidct.inference.card import ModelCard
from covidct.inference.cases import Case, CaseGroup, SetAside
from covidct.inference.classifier import Prediction
from covidct.inference.heatmap import HeatMap
from covidct.inference.judge import Judged, Refused, conclude
from covidct.inference.opacities import OpacityFindings, opacities_of
from covidct.reports.slice_page import SlicePage

_PROBABILITIES = [number / 31 for number in range(1, 31)]
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
    heat = HeatMap(values, "gradcam", "Positive", 0.2)
    return SlicePage("Case 3", ct_slice, prediction, opacities_of(ct_slice), heat)


@pytest.fixture(scope="session")
def case():
    def at(number, position=None, file="Secret^Patient.dcm", group=2):
        return Case(Place(file, None, position), None, group, number)

    return at


@pytest.fixture(scope="session")
def findings():
    """A tenth of the lungs opaque, all of it in one of them."""
    return OpacityFindings(0.1, "one", "peripheral", (500, 500), (100, 0))


@pytest.fixture(scope="session")
def series(predict, case, card, findings):
    """Thirty slices of a series, one of them refused, a scout set aside, and the verdict."""
    return _concluded(map(predict, _PROBABILITIES), case, card, findings)


@pytest.fixture(scope="session")
def classified_series(predict, case, card, findings):
    """The same by a model of several classes."""
    shares = {"Normal": 0.75, "Pneumonia": 0.25}
    predictions = (predict(one).with_classes(shares) for one in _PROBABILITIES)
    return _concluded(predictions, case, card, findings)


def _concluded(predictions, case, card, findings):
    found = [
        Judged(case(number, 2.5 * number), prediction, 0.7, findings, (), "DICOM", (64, 64))
        for number, prediction in enumerate(predictions, 1)
    ]
    found[9] = Refused(case(10), UnreadableSlice("The file is damaged."))
    cases = tuple(one.case for one in found)
    group = CaseGroup(2, "a series", cases, (SetAside(case(None), "A scout."),))
    return list(conclude(group, found, SimpleNamespace(card=card)))
