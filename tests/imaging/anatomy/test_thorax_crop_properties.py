"""Properties of what the network is given that hold for any picture, by Hypothesis."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from covidct.imaging.anatomy.thorax_crop import crop_thorax, network_pixels
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.formats.pixels import ramp
from covidct.imaging.phantom import phantom_slice

GRID = (48, 64)
few = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
noise = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=64, max_side=96))
phantoms = st.builds(
    lambda seed, lesions, size: phantom_slice(seed, lesions, size).ct_slice.pixels,
    st.integers(0, 999),
    st.integers(0, 6),
    st.tuples(st.integers(64, 160), st.integers(64, 160)),
)


@few
@given(st.one_of(noise, phantoms))
def test_any_picture_becomes_network_pixels_in_bounds(pixels):
    chest = crop_thorax(CTSlice(pixels), GRID)
    assert (chest.pixels.shape, chest.pixels.dtype) == ((*GRID, 4), np.uint8)
    assert chest.lungs.shape == pixels.shape and chest.lungs.dtype == bool
    given_to_network = network_pixels(chest.pixels[None], lambda x: x / 127 - 1)
    assert (given_to_network.shape, given_to_network.dtype) == ((1, *GRID, 3), np.float32)
    assert np.isfinite(given_to_network).all()
    assert given_to_network[..., 1:].min() >= 0 and given_to_network[..., 1:].max() <= 1
    assert not chest.pixels[..., 2][chest.pixels[..., 1] == 0].any()  # no lung outside the thorax


@few
@given(phantoms)
def test_the_same_picture_gives_the_same_network_pixels_and_is_left_as_it_was(pixels):
    before = pixels.copy()
    ct_slice = CTSlice(pixels)
    first, second = crop_thorax(ct_slice, GRID), crop_thorax(ct_slice, GRID)
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(pixels, before)


@few
@given(
    st.one_of(noise, phantoms),
    arrays(np.float32, (6, 8), elements=st.floats(0, 1, width=32)),
)
def test_a_map_on_the_slice_is_bounded_by_the_map_on_the_network(pixels, values):
    on_slice = crop_thorax(CTSlice(pixels), GRID).to_slice_grid(values)
    assert (on_slice.shape, on_slice.dtype) == (pixels.shape, np.float32)
    assert on_slice.min() >= 0 and on_slice.max() <= values.max() + 1e-5


@few
@given(
    arrays(np.float64, 20, elements=st.floats(-1e12, 1e12)),
    st.floats(-1e9, 1e9),
    st.floats(1e-3, 1e9),
)
def test_grey_levels_rise_with_the_values(values, low, width):
    greys = ramp(np.sort(values), low, low + width)
    assert greys.dtype == np.uint8
    assert (np.diff(greys.astype(int)) >= 0).all()
