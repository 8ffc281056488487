import cv2
import numpy as np
import pytest

from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.window import LUNG
from covidct.imaging.phantom import phantom_slice

UNITS_A_LEVEL = LUNG.width / 255
CLOSE = 25  # Hounsfield units


@pytest.fixture(params=range(4))
def drawn(request):
    return phantom_slice(request.param)


def _true_density(drawn):
    lungs = cv2.erode(drawn.lung_mask.view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    darkest = LUNG.centre - LUNG.width / 2
    return darkest + UNITS_A_LEVEL * float(np.median(drawn.ct_slice.pixels[lungs]))


def _with(drawn, change):
    grey = drawn.ct_slice.pixels.astype(float)
    return CTSlice(np.clip(change(grey), 0, 255).astype(np.uint8)).lung_density


def test_it_is_that_of_the_drawing(drawn):
    assert drawn.ct_slice.lung_density == pytest.approx(_true_density(drawn), abs=CLOSE)


@pytest.mark.parametrize("change", [lambda grey: 0.7 * grey + 30, lambda grey: grey - 40])
def test_the_window_does_not_move_it(drawn, change):
    assert _with(drawn, change) == pytest.approx(drawn.ct_slice.lung_density, abs=CLOSE)


@pytest.mark.parametrize("units", [100, 200, 300])
def test_haze_over_both_lungs_adds_its_own_density(drawn, units):
    soft = cv2.GaussianBlur(drawn.lung_mask.astype(float), (0, 0), 1.5)
    hazy = _with(drawn, lambda grey: grey + soft * units / UNITS_A_LEVEL)
    assert hazy - drawn.ct_slice.lung_density == pytest.approx(units, abs=CLOSE)


def test_without_air_around_the_body_nothing_is_said(drawn):
    rows, columns = np.nonzero(drawn.lung_mask)
    tight = drawn.ct_slice.pixels[rows.min() : rows.max(), columns.min() : columns.max()]
    assert CTSlice(tight.copy()).lung_density is None


def test_without_lungs_nothing_is_said():
    assert CTSlice(np.full((64, 64), 90, np.uint8)).lung_density is None
