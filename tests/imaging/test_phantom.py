import numpy as np
import pytest
from scipy import ndimage

from covidct.imaging.phantom import NOTE, phantom_slice


@pytest.fixture(scope="module")
def healthy():
    return phantom_slice(7)


@pytest.fixture(scope="module")
def ill():
    return phantom_slice(7, lesions=3)


def test_a_seed_draws_the_same_slice_again(ill):
    again = phantom_slice(7, lesions=3)
    assert np.array_equal(ill.ct_slice.pixels, again.ct_slice.pixels)
    assert np.array_equal(ill.lesion_mask, again.lesion_mask)
    assert np.array_equal(ill.lung_mask, again.lung_mask)


def test_another_seed_draws_another_anatomy(healthy):
    other = phantom_slice(8)
    assert not np.array_equal(healthy.lung_mask, other.lung_mask)
    assert not np.array_equal(healthy.ct_slice.pixels, other.ct_slice.pixels)


def test_the_slice_says_that_it_shows_no_patient(healthy):
    assert healthy.ct_slice.source == "synthetic"
    assert healthy.ct_slice.notes == (NOTE,)


@pytest.mark.parametrize("seed", range(6))
def test_there_are_two_lungs_of_believable_size_and_density(seed):
    phantom = phantom_slice(seed)
    regions, count = ndimage.label(phantom.lung_mask)
    assert count == 2
    assert all(0.05 < np.mean(regions == lung) < 0.2 for lung in (1, 2))
    pixels = phantom.ct_slice.pixels
    assert 60 < np.median(pixels[phantom.lung_mask]) < 110
    assert np.mean(pixels == 255) < 0.15


@pytest.mark.parametrize("lesions", [1, 2, 6])
def test_lesions_lie_in_the_lungs(lesions):
    phantom = phantom_slice(11, lesions)
    assert phantom.lesion_mask.sum() > 200 * lesions**0.5
    assert not (phantom.lesion_mask & ~phantom.lung_mask).any()


def test_without_lesions_the_mask_is_empty(healthy):
    assert not healthy.lesion_mask.any()


def test_lesions_brighten_their_place_and_nothing_far_from_it(healthy, ill):
    before, after = (p.ct_slice.pixels.astype(float) for p in (healthy, ill))
    far = ~ndimage.binary_dilation(ill.lesion_mask, iterations=30)
    assert np.array_equal(healthy.lung_mask, ill.lung_mask)
    assert (after - before)[ill.lesion_mask].mean() > 20
    assert np.abs(after - before)[far].mean() < 0.5


@pytest.mark.parametrize(("size", "shape"), [(64, (64, 64)), (700, (700, 700)), ((200, 320), None)])
def test_the_size_is_as_asked(size, shape):
    phantom = phantom_slice(2, lesions=2, size=size)
    for grid in (phantom.ct_slice.pixels, phantom.lesion_mask, phantom.lung_mask):
        assert grid.shape == (shape or size)
    assert phantom.lesion_mask.any()
