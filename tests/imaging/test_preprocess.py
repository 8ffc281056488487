import numpy as np

from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.preprocess import find_chest, network_pixels


def test_the_chest_has_the_size_of_the_network_and_the_full_range(phantoms):
    for phantom in phantoms[:3]:
        chest = find_chest(phantom.ct_slice, (96, 128))
        assert chest.pixels.shape == (96, 128)
        assert chest.pixels.dtype == np.uint8
        assert np.percentile(chest.pixels, 2) < 15
        assert np.percentile(chest.pixels, 99) > 240


def test_window_settings_hardly_change_the_network_pixels(phantoms):
    pixels = phantoms[0].ct_slice.pixels
    dimmed = CTSlice((pixels * 0.6 + 50).astype(np.uint8))
    original = find_chest(phantoms[0].ct_slice, (128, 128)).pixels.astype(float)
    varied = find_chest(dimmed, (128, 128)).pixels.astype(float)
    assert np.abs(original - varied).mean() < 4


def test_source_notes_and_spacing_do_not_reach_the_network(phantoms):
    pixels = phantoms[0].ct_slice.pixels
    described = CTSlice(pixels.copy(), (0.7, 0.7), "JPEG", ("A note.",))
    assert np.array_equal(
        find_chest(described, (64, 64)).pixels, find_chest(phantoms[0].ct_slice, (64, 64)).pixels
    )


def test_a_margin_does_not_reach_the_network(phantoms):
    pixels = phantoms[1].ct_slice.pixels
    page = np.full((pixels.shape[0] + 60, pixels.shape[1] + 90), 255, np.uint8)
    page[20:-40, 30:-60] = pixels
    assert np.array_equal(
        find_chest(CTSlice(page), (64, 64)).pixels,
        find_chest(phantoms[1].ct_slice, (64, 64)).pixels,
    )


def test_a_map_returns_to_where_it_came_from(phantoms):
    """A mark planted in the chest's own grid lands at the same anatomy on the slice."""
    chest = find_chest(phantoms[0].ct_slice, (128, 128))
    on_slice = chest.to_slice_grid(np.asarray(chest.pixels, np.float32))
    assert on_slice.shape == phantoms[0].ct_slice.shape
    inside = chest.crop.of(on_slice)
    original = chest.crop.of(phantoms[0].ct_slice.pixels).astype(float)
    assert np.corrcoef(inside.ravel(), original.ravel())[0, 1] > 0.95
    outside = on_slice.copy()
    chest.crop.of(outside)[:] = 0
    assert not outside.any()


def test_network_pixels_are_three_equal_channels():
    grey = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4)
    pixels = network_pixels(grey, lambda images: images / 255)
    assert pixels.shape == (2, 4, 4, 3)
    assert pixels.dtype == np.float32
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    assert np.array_equal(pixels[..., 1], grey / 255)
