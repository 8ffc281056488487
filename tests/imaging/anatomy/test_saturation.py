import numpy as np
import pytest

from covidct.imaging.anatomy.saturation import lungs_are_black
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.window import LUNG, Window
from covidct.imaging.phantom import phantom_slice

MEDIASTINAL = Window(40, 400)


def units(seed: int, lesions: int) -> np.ndarray:
    """The Hounsfield units of a phantom, which is drawn in the lung window."""
    drawn = phantom_slice(seed, lesions, 256).ct_slice.pixels
    return drawn * (LUNG.width / 255) + LUNG.centre - LUNG.width / 2


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("lesions", [0, 4])
def test_lungs_are_black_in_a_mediastinal_window_and_in_no_lung_window(seed, lesions):
    hounsfield = units(seed, lesions)
    assert lungs_are_black(CTSlice(MEDIASTINAL.apply(hounsfield)).figure)
    for centre, width in ((-600, 1500), (-600, 1200), (-500, 1400), (-700, 1000)):
        assert not lungs_are_black(CTSlice(Window(centre, width).apply(hounsfield)).figure)


def test_what_shows_no_lungs_has_none_that_are_black():
    assert not lungs_are_black(CTSlice(np.zeros((96, 96), np.uint8)).figure)
