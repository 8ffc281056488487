import cv2
import numpy as np
import pytest

from covidct.errors import UnreadableSlice
from covidct.imaging.anatomy.lungs import Box, chest_box, figure_box
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.readers import read_slice


def lung_mask(pixels):
    return CTSlice(pixels).lung_mask


def _dice(a, b):
    return 2 * np.sum(a & b) / (a.sum() + b.sum())


def test_the_mask_covers_the_lungs_of_synthetic_slices(phantoms):
    overlaps = [_dice(lung_mask(p.ct_slice.pixels), p.lung_mask) for p in phantoms]
    assert min(overlaps) > 0.8
    assert np.mean(overlaps) > 0.88


def test_the_mask_does_not_depend_on_brightness_and_contrast(phantoms):
    for phantom in phantoms[:3]:
        pixels = phantom.ct_slice.pixels
        dimmed = (pixels * 0.5 + 60).astype(np.uint8)
        assert _dice(lung_mask(pixels), lung_mask(dimmed)) > 0.97


def test_a_white_page_around_the_slice_changes_nothing(phantoms):
    pixels = phantoms[0].ct_slice.pixels
    page = np.full((pixels.shape[0] + 80, pixels.shape[1] + 60), 255, np.uint8)
    page[50:-30, 20:-40] = pixels
    assert np.array_equal(figure_box(page).of(page), figure_box(pixels).of(pixels))
    assert np.array_equal(lung_mask(page)[50:-30, 20:-40], lung_mask(pixels))


@pytest.mark.parametrize("white", [255, 223])
def test_a_page_is_told_by_the_brightest_level_there_is(phantoms, white):
    pixels = np.minimum(phantoms[0].ct_slice.pixels, 200)
    page = cv2.copyMakeBorder(pixels, 20, 30, 40, 10, cv2.BORDER_CONSTANT, value=white)
    assert figure_box(page) == Box(20, 40, 20 + pixels.shape[0], 40 + pixels.shape[1])


@pytest.mark.parametrize("width", [1, 3, 9])
@pytest.mark.parametrize("level", [150, 230])
def test_a_frame_around_the_slice_does_not_make_lungs_of_the_air_outside(phantoms, width, level):
    for phantom in phantoms[:3]:
        mask = lung_mask(phantom.ct_slice.pixels)
        framed = phantom.ct_slice.pixels.copy()
        framed[:width] = framed[-width:] = framed[:, :width] = framed[:, -width:] = level
        assert _dice(lung_mask(framed), mask) > (0.97 if width < 9 else 0.8)


@pytest.mark.parametrize("level", [0, 100])
def test_it_does_not_matter_for_the_lungs_how_dark_the_air_outside_is(phantoms, level):
    for phantom in phantoms:
        pixels = phantom.ct_slice.pixels
        _, labels = cv2.connectedComponents(cv2.blur(pixels, (3, 3)) // 128 ^ 1)
        outside = labels == labels[0, 0]
        assert outside.mean() > 0.1
        assert (
            _dice(lung_mask(np.where(outside, np.uint8(level), pixels)), lung_mask(pixels)) > 0.99
        )


def test_stored_and_sized_in_another_way_a_slice_has_the_same_lungs(real_files):
    overlaps = []
    for file in real_files:
        try:
            pixels = read_slice(file).pixels
        except UnreadableSlice:
            continue
        stored = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, 50))[1]
        for changed in (
            cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE),
            cv2.convertScaleAbs(pixels, alpha=0.75, beta=32),
            cv2.LUT(pixels, np.uint8(255 * (np.arange(256) / 255) ** 0.8)),
        ):
            overlaps.append(_dice(lung_mask(pixels), lung_mask(changed)))
    assert np.mean(np.array(overlaps) > 0.95) >= 0.97


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_without_lungs_has_an_empty_mask_and_is_not_cropped(value):
    pixels = np.full((90, 120), value, np.uint8)
    mask = lung_mask(pixels)
    assert not mask.any()
    assert chest_box(figure_box(pixels), mask).of(pixels).shape == (90, 120)


@pytest.mark.parametrize("shape", [(64, 2100), (2100, 64), (64, 64)])
def test_lungs_are_sought_in_pictures_of_any_shape(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert lung_mask(pixels).shape == shape


def test_the_chest_box_holds_the_whole_mask(phantoms):
    for phantom in phantoms:
        mask = lung_mask(phantom.ct_slice.pixels)
        assert chest_box(phantom.ct_slice.figure.box, mask).of(mask).sum() == mask.sum()


def test_real_slices_have_lungs(real_files):
    shares = []
    for file in real_files:
        try:
            shares.append(lung_mask(read_slice(file).pixels).mean())
        except UnreadableSlice:
            continue
    assert np.mean(np.array(shares) > 0.05) >= 0.85
    assert max(shares) < 0.95


def test_the_mask_agrees_with_the_hand_drawn_one(covid_ct):
    """The shared masks are mirrored left to right against their slices: the liver tells."""
    series = covid_ct.parent / "dicom-ct-series"
    overlaps = []
    for file in sorted((series / "series").iterdir()):
        drawn = cv2.imread(str(series / "lung-masks" / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE)
        drawn = drawn[:, ::-1] > 0
        if drawn.mean() > 0.05:
            overlaps.append(_dice(lung_mask(read_slice(file).pixels), drawn))
    assert np.median(overlaps) > 0.9
