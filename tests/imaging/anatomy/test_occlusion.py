import cv2
import numpy as np
import pytest

from covidct.imaging.anatomy.occlusion import only_lungs, without_lungs, without_opacities
from covidct.imaging.anatomy.thorax_crop import GROUND, crop_thorax
from covidct.imaging.phantom import phantom_slice


@pytest.fixture(scope="module", params=[(96, 96), (96, 128)])
def pixels(request, phantoms):
    return [crop_thorax(phantom.ct_slice, request.param).pixels for phantom in phantoms]


def test_the_cover_holds_the_dark_part_of_what_the_network_sees(pixels):
    for shown in pixels:
        lungs = shown[..., 2] > 127
        assert 0.2 < lungs.mean() < 0.9
        assert shown[lungs, 0].mean() < shown[~lungs, 0].mean() - 40


def test_without_lungs_nothing_of_them_is_left_and_the_rest_is_untouched(pixels):
    for shown in pixels:
        lungs, blanked = shown[..., 2] > 0, without_lungs(shown)
        assert (blanked[lungs, 0] == GROUND).all()
        assert np.array_equal(blanked[~lungs], shown[~lungs])
        assert np.array_equal(blanked[..., 1:], shown[..., 1:])


def test_of_only_lungs_all_else_is_even_ground(pixels):
    for shown in pixels:
        lungs, only = shown[..., 2] > 0, only_lungs(shown)
        assert np.array_equal(only[lungs], shown[lungs])
        assert (only[~lungs, 0] == GROUND).all()


def test_where_opacities_were_there_is_aerated_lung_and_the_rest_is_untouched():
    shown = crop_thorax(phantom_slice(7, 4, 320).ct_slice, (192, 256)).pixels
    opaque, lungs = shown[..., 3] > 127, shown[..., 2] > 127
    aerated = shown[lungs & (shown[..., 3] < 20), 0]
    painted = without_opacities(shown)
    assert opaque.sum() > 100
    assert shown[opaque & lungs, 0].mean() > aerated.mean() + 8
    assert abs(painted[opaque & lungs, 0].mean() - aerated.mean()) < 12
    assert not painted[..., 3].any()
    far = cv2.dilate(opaque.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert np.array_equal(painted[far][:, :3], shown[far][:, :3])
