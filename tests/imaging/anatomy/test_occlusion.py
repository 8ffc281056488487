import cv2
import numpy as np
import pytest

from covidct.imaging.anatomy.occlusion import (
    as_much_elsewhere,
    only_lungs,
    painted_out,
    with_rim,
    without_lungs,
    without_opacities,
)
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
    tissue = np.median(aerated)
    assert np.median(shown[opaque & lungs, 0]) > tissue + 15
    assert abs(np.median(painted[opaque & lungs, 0]) - tissue) < 12
    assert not painted[..., 3].any()
    far = cv2.dilate(opaque.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert np.array_equal(painted[far][:, :3], shown[far][:, :3])


def test_on_a_slice_what_is_painted_looks_like_the_lung_beside_it_and_nothing_else_changes():
    phantom = phantom_slice(7, 4, 320)
    grey, lungs = phantom.ct_slice.pixels, phantom.lung_mask
    where = with_rim(phantom.lesion_mask, lungs)
    painted = painted_out(grey, where, lungs & ~where)
    assert np.array_equal(painted[~where], grey[~where])
    tissue = np.median(grey[lungs & ~where])
    assert np.median(grey[phantom.lesion_mask]) > tissue + 15
    assert abs(np.median(painted[where]) - tissue) < 8
    assert 1 < painted[where].std() < grey[lungs].std()


@pytest.mark.parametrize("seed", range(5, 9))
def test_as_much_of_the_other_lung_is_chosen_and_none_where_too_little_is_left(seed):
    phantom = phantom_slice(seed, 3, 256)
    where = with_rim(phantom.lesion_mask, phantom.lung_mask)
    chosen = as_much_elsewhere(where, phantom.lung_mask)
    assert chosen.sum() == where.sum() > 0
    assert not (chosen & where).any() and not (chosen & ~phantom.lung_mask).any()
    assert as_much_elsewhere(phantom.lung_mask, phantom.lung_mask) is None
    assert as_much_elsewhere(np.zeros_like(where), phantom.lung_mask) is None
