"""Density is evidence: haze over slices of people without it, from hospitals of the shared data."""

import cv2
import numpy as np
import pytest

from covidct.imaging.anatomy.gate import gate
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.readers import read_slice
from covidct.inference.classifier import Classifier
from covidct.inference.opacities import findings_of

UNITS = 1500  # Hounsfield units from black to white, in the window of these slices
HAZE = 200  # Hounsfield units more, evenly over both lungs
LEAST = 0.95


@pytest.fixture(scope="module")
def of_kaggle(covid_ct):
    """Every tenth slice of kaggle-lungs with its lungs as a soft cover, float (H, W) each."""
    folder = covid_ct.parent / "kaggle-lungs"
    slices = []
    for file in sorted((folder / "CT_NonCOVID").iterdir())[::10]:
        grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE).astype(float)
        lungs = cv2.imread(str(folder / "lung-masks" / file.name), cv2.IMREAD_GRAYSCALE) > 127
        slices.append((grey, _soft(lungs)))
    return slices


@pytest.fixture(scope="module")
def clean(of_kaggle, covid_ct):
    """These, and slices of a whole patient in true Hounsfield units."""
    slices = list(of_kaggle)
    for file in sorted((covid_ct.parent / "hu-series" / "normal").iterdir())[::3]:
        ct_slice = read_slice(file)
        if gate(ct_slice).accepted:
            slices.append((ct_slice.pixels.astype(float), _soft(ct_slice.lung_mask)))
    return slices


def _soft(lungs):
    return cv2.GaussianBlur(lungs.astype(float), (0, 0), 1.5)


def _with_haze(grey, lungs, units):
    return CTSlice(np.clip(grey + lungs * (255 / UNITS * units), 0, 255).astype(np.uint8))


def test_lungs_full_of_even_haze_are_not_called_negative(clean):
    classifier = Classifier.load("covidct-astra")
    decisions = [classifier.classify(_with_haze(*one, HAZE)).decision for one in clean]
    assert np.mean([decision != "Negative" for decision in decisions]) >= LEAST


def test_lungs_of_people_without_it_are_not_dense(clean):
    classifier = Classifier.load("covidct-astra")
    doubts = [classifier.classify(_with_haze(*one, 0)).doubt for one in clean]
    assert np.mean([one == "dense lungs" for one in doubts]) <= 1 - LEAST


@pytest.mark.parametrize(("source", "most"), [("of_kaggle", 0.1), ("clean", 1 / 8)])
def test_denser_haze_hardly_ever_lowers_share_or_probability(source, most, request):
    clean = request.getfixturevalue(source)
    classifier = Classifier.load("covidct-astra")
    lower_share, lower_probability, steps = 0, 0, 0
    for one in clean[::2]:
        slices = [_with_haze(*one, units) for units in (0, 100, 200, 300)]
        shares = [findings_of(hazy).share_of_lung for hazy in slices]
        probabilities = [classifier.classify(hazy).probability for hazy in slices]
        lower_share += int(np.sum(np.diff(shares) < -0.02))
        lower_probability += int(np.sum(np.diff(probabilities) < -0.05))
        steps += 3
    assert lower_share / steps <= 1 - LEAST
    assert lower_probability / steps <= most
