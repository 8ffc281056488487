import numpy as np
import pytest

from covidct.imaging.anatomy.thorax_crop import (
    GROUND,
    LUNG_LEVEL,
    TISSUE_LEVEL,
    crop_thorax,
    network_pixels,
)
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.phantom import phantom_slice


def test_lung_and_tissue_get_their_levels_on_the_networks_grid(phantoms):
    for phantom in phantoms[:3]:
        chest = crop_thorax(phantom.ct_slice, (96, 128))
        assert chest.pixels.shape == (96, 128, 4)
        assert chest.pixels.dtype == np.uint8
        thorax, lungs = (chest.pixels[..., i] > 127 for i in (1, 2))
        assert abs(np.percentile(chest.grey[lungs], 10) - LUNG_LEVEL) < 10
        assert abs(np.median(chest.grey[thorax & ~lungs]) - TISSUE_LEVEL) < 10


def test_around_the_thorax_there_is_even_ground(phantoms):
    for phantom in phantoms:
        pixels = crop_thorax(phantom.ct_slice, (96, 128)).pixels
        assert (pixels[pixels[..., 1] == 0] == (GROUND, 0, 0, 0)).all()
        assert (pixels[..., 1] > 0).sum() > (pixels[..., 2] > 0).sum() * 0.9


def test_the_aspect_is_kept(phantoms):
    for phantom in phantoms:
        for grid in ((96, 128), (128, 96), (64, 64)):
            chest = crop_thorax(phantom.ct_slice, grid)
            scales = (
                chest.placed.height / chest.crop.height,
                chest.placed.width / chest.crop.width,
            )
            assert abs(scales[0] / scales[1] - 1) < 0.03


def test_where_no_lungs_are_found_the_whole_picture_is_shown():
    rising = np.arange(100, 228, 2, dtype=np.uint8)
    ridge = np.tile(np.concatenate([rising, rising[::-1]]), (128, 1))
    chest = crop_thorax(CTSlice(ridge), (96, 96))
    assert not chest.lungs.any()
    assert (chest.pixels[..., 1:3] == 255).all()
    assert not chest.pixels[..., 3].any()
    assert chest.grey.std() > 50


def test_window_settings_hardly_change_the_network_pixels(phantoms):
    pixels = phantoms[0].ct_slice.pixels
    dimmed = CTSlice((pixels * 0.6 + 50).astype(np.uint8))
    original = crop_thorax(phantoms[0].ct_slice, (128, 128)).grey.astype(float)
    varied = crop_thorax(dimmed, (128, 128)).grey.astype(float)
    assert np.abs(original - varied).mean() < 4


def test_source_notes_and_spacing_do_not_reach_the_network(phantoms):
    pixels = phantoms[0].ct_slice.pixels
    described = CTSlice(pixels.copy(), (0.7, 0.7), "JPEG", ("A note.",))
    assert np.array_equal(
        crop_thorax(described, (64, 64)).pixels, crop_thorax(phantoms[0].ct_slice, (64, 64)).pixels
    )


def test_a_margin_does_not_reach_the_network(phantoms):
    pixels = phantoms[1].ct_slice.pixels
    page = np.full((pixels.shape[0] + 60, pixels.shape[1] + 90), 255, np.uint8)
    page[20:-40, 30:-60] = pixels
    assert np.array_equal(
        crop_thorax(CTSlice(page), (64, 64)).pixels,
        crop_thorax(phantoms[1].ct_slice, (64, 64)).pixels,
    )


def test_a_map_returns_to_where_it_came_from(phantoms):
    """A mark planted in the chest's own grid lands at the same anatomy on the slice."""
    chest = crop_thorax(phantoms[0].ct_slice, (128, 128))
    on_slice = chest.to_slice_grid(np.asarray(chest.grey, np.float32))
    assert on_slice.shape == phantoms[0].ct_slice.shape
    lungs = chest.lungs
    assert np.corrcoef(on_slice[lungs], phantoms[0].ct_slice.pixels[lungs])[0, 1] > 0.85
    outside = on_slice.copy()
    chest.crop.of(outside)[:] = 0
    assert not outside.any()


def test_network_pixels_are_the_normalised_picture_and_the_covers_of_thorax_and_opacities(phantoms):
    shown = np.stack([crop_thorax(one.ct_slice, (96, 128)).pixels for one in phantoms[:3]])
    before = shown.copy()
    pixels = network_pixels(shown, lambda images: (images - 127) / 128)
    assert np.array_equal(shown, before)
    assert pixels.dtype == np.float32
    assert np.allclose(pixels[..., 0], (shown[..., 0] - 127.0) / 128)
    assert np.allclose(pixels[..., 1], shown[..., 1] / 255)
    assert np.allclose(pixels[..., 2], shown[..., 3] / 255)


def test_opacities_lie_on_the_crop_where_they_lie_on_the_slice():
    phantom = phantom_slice(7, 4, 320)
    chest = crop_thorax(phantom.ct_slice, (192, 256))
    found = chest.to_slice_grid(chest.pixels[..., 3] / np.float32(255)) >= 0.5
    overlap = 2 * (found & phantom.lesion_mask).sum()
    assert overlap / (found.sum() + phantom.lesion_mask.sum()) > 0.5
    assert 0.01 < chest.opaque_share < 0.5


def test_a_mask_goes_to_the_crop_and_back(phantoms):
    for phantom in phantoms:
        chest = crop_thorax(phantom.ct_slice, (192, 256))
        mask = phantom.lung_mask.astype(np.uint8)
        on_crop = chest.from_slice_grid(mask)
        assert on_crop.shape == chest.grey.shape and on_crop.dtype == np.float32
        assert (on_crop.min(), on_crop.max()) == (0, 1)
        back = chest.to_slice_grid(on_crop) >= 0.5
        inside = np.zeros_like(mask)
        chest.crop.of(inside)[:] = chest.crop.of(mask)
        assert 2 * (back & (inside > 0)).sum() / (back.sum() + inside.sum()) > 0.97


def test_how_much_of_a_map_lies_in_the_lungs(phantoms):
    for phantom in phantoms:
        chest = crop_thorax(phantom.ct_slice, (192, 256))
        thorax, lungs = chest.pixels[..., 1] > 127, chest.pixels[..., 2] > 127
        assert chest.share_in_lungs(lungs.astype(np.float32)) == 1
        assert chest.share_in_lungs((thorax & ~lungs).astype(np.float32)) == 0
        even = chest.share_in_lungs(np.full((24, 32), 0.3, np.float32))
        assert even == pytest.approx(lungs.sum() / (chest.placed.height * chest.placed.width))
        on_slice = chest.to_slice_grid(lungs.astype(np.float32))
        assert (on_slice[phantom.lung_mask] > 0.5).mean() > 0.95
        assert chest.share_in_lungs(np.zeros((24, 32), np.float32)) is None


def test_no_share_is_given_where_no_lungs_were_found():
    chest = crop_thorax(CTSlice(np.full((90, 120), 128, np.uint8)), (192, 256))
    assert chest.share_in_lungs(np.ones((24, 32), np.float32)) is None
