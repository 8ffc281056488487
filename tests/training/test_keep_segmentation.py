import numpy as np
import pytest

from covidct.data.masks import MaskedSlice
from covidct.training.keep_segmentation import calibration_of

LUNGS = np.ones((64, 64), np.uint8)


def _slices(drawn):
    return [MaskedSlice("drawn", str(i), None, LUNGS, LUNGS, one) for i, one in enumerate(drawn)]


def test_after_calibration_a_probability_is_the_share_of_opaque_places():
    """Logits that are twice as steep and one too high come back to where they belong."""
    rng = np.random.default_rng(0)
    true = rng.normal(-1, 1.5, (6, 64, 64))
    drawn = (rng.random(true.shape) < 1 / (1 + np.exp(-true))).astype(np.uint8)
    slope, intercept = calibration_of(_slices(drawn), (2 * true + 1).astype(np.float32))
    assert slope == pytest.approx(0.5, abs=0.1)
    assert intercept == pytest.approx(-0.5, abs=0.2)


@pytest.mark.parametrize("everywhere", [0, 1])
def test_where_all_places_show_the_same_nothing_is_calibrated(everywhere):
    logits = np.random.default_rng(0).normal(size=(2, 64, 64)).astype(np.float32)
    assert calibration_of(_slices([everywhere * LUNGS] * 2), logits) == (1.0, 0.0)
