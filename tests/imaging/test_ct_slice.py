import numpy as np
import pytest

from covidct.imaging.ct_slice import CTSlice


def test_pixels_cannot_be_changed(phantoms):
    with pytest.raises(ValueError, match="read-only"):
        phantoms[0].ct_slice.pixels[0, 0] = 1


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8), np.zeros(4, np.uint8)]
)
def test_only_grey_bytes_are_pixels(pixels):
    with pytest.raises(ValueError, match="uint8"):
        CTSlice(pixels)


def test_a_large_slice_is_reduced_for_a_picture_with_its_aspect():
    ct_slice = CTSlice(np.zeros((300, 1200), np.uint8), (0.5, 0.5), "PNG", ("A note.",))
    assert ct_slice.at_most(400).shape == (100, 400)
    assert ct_slice.at_most(400).notes == ct_slice.notes
    assert ct_slice.at_most(2000) is ct_slice
