import numpy as np
import pytest

from covidct.evaluation.blanking import (
    has_lungs,
    lungs_on_network_grid,
    only_lungs,
    without_lungs,
)
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.preprocess import find_chest


@pytest.fixture(scope="module", params=[(96, 96), (96, 128)])
def chests(request, phantoms):
    return [find_chest(phantom.ct_slice, request.param) for phantom in phantoms]


def test_the_mask_covers_the_dark_part_of_what_the_network_sees(chests):
    for chest in chests:
        lungs = lungs_on_network_grid(chest)
        assert lungs.shape == chest.pixels.shape
        assert 0.2 < lungs.mean() < 0.9
        assert chest.pixels[lungs].mean() < chest.pixels[~lungs].mean() - 40


def test_without_lungs_nothing_of_them_is_left_and_the_rest_is_untouched(chests):
    for chest in chests:
        lungs, blanked = lungs_on_network_grid(chest), without_lungs(chest).pixels
        assert np.unique(blanked[lungs]).tolist() == [int(np.median(chest.pixels[~lungs]))]
        changed = blanked != chest.pixels
        assert (changed & ~lungs).mean() < 0.15
        assert chest.pixels.shape == blanked.shape


def test_of_only_lungs_all_else_is_one_grey(chests):
    for chest in chests:
        lungs, shown = lungs_on_network_grid(chest), only_lungs(chest).pixels
        assert np.array_equal(shown[lungs], chest.pixels[lungs])
        assert len(np.unique(shown[~lungs])) == 1


def test_where_nothing_looks_like_a_lung_there_are_none():
    ramp = np.tile(np.arange(100, 228, dtype=np.uint8), (128, 1))
    assert not has_lungs(find_chest(CTSlice(ramp), (96, 96)))
