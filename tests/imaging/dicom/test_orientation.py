"""Slices that are stored on their side, upside down or mirrored."""

import numpy as np
import pytest

from covidct.imaging.dicom.orientation import TURNED
from covidct.imaging.readers import read_hounsfield, read_slice

SPACING = [0.7, 0.8]
STORED = {  # how an upright picture is stored whose rows and columns run in these directions
    (1, 0, 0, 0, 1, 0): lambda upright: upright,
    (-1, 0, 0, 0, -1, 0): lambda upright: np.rot90(upright, 2),  # prone, as scanners store it
    (-1, 0, 0, 0, 1, 0): np.fliplr,
    (1, 0, 0, 0, -1, 0): np.flipud,
    (0, 1, 0, 1, 0, 0): np.transpose,
    (0, -1, 0, 1, 0, 0): lambda upright: np.rot90(upright, -1),
    (0, 1, 0, -1, 0, 0): lambda upright: np.rot90(upright, 1),
    (0, -1, 0, -1, 0, 0): lambda upright: np.rot90(upright, 2).T,
}


@pytest.mark.parametrize("cosines", STORED)
def test_however_a_slice_is_stored_it_is_shown_upright(cosines, volume, ct_header, ct_file):
    upright = volume[1][:-30, 10:]  # neither square nor symmetric
    stored = np.ascontiguousarray(STORED[cosines](upright))
    sides = SPACING if stored.shape == upright.shape else SPACING[::-1]
    header = ct_header(1, ImageOrientationPatient=list(cosines), PixelSpacing=sides)
    data = ct_file(header, stored)
    ct_slice = read_slice(data)
    assert np.array_equal(read_hounsfield(data), upright.astype(int) - 1350)
    assert np.array_equal(ct_slice.pixels, read_slice(ct_file(ct_header(1), upright)).pixels)
    assert ct_slice.spacing_mm == tuple(SPACING)
    assert (TURNED in ct_slice.notes) == (cosines != (1, 0, 0, 0, 1, 0))


@pytest.mark.parametrize(
    "cosines",
    [
        None,
        [1, 0, 0],
        [-1, 0, 0, 0, 0, -1],
        [0.97, -0.26, 0, 0.26, 0.97, 0],
        [1, 0, 0, 0, 0.94, 0.34],
        [float("nan")] * 6,
    ],
)
def test_what_is_upright_unknown_or_not_axial_stays_as_it_is(cosines, volume, ct_header, ct_file):
    data = ct_file(ct_header(1, ImageOrientationPatient=cosines), volume[1])
    assert np.array_equal(read_hounsfield(data), volume[1].astype(int) - 1350)
    assert TURNED not in read_slice(data).notes
