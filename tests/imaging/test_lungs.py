import cv2
import numpy as np
import pytest

from covidct.errors import UnreadableSlice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.lungs import chest_box, figure_box
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


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_without_lungs_has_an_empty_mask_and_is_not_cropped(value):
    pixels = np.full((90, 120), value, np.uint8)
    mask = lung_mask(pixels)
    assert not mask.any()
    assert chest_box(figure_box(pixels), mask).of(pixels).shape == (90, 120)


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
