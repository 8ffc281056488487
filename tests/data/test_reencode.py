from dataclasses import replace

import numpy as np
import pytest

from covidct.data.index import read_index
from covidct.data.prepared import prepare, read_anew
from covidct.data.reencode import REENCODED, as_jpeg, resized, with_contrast
from covidct.errors import UnreadableSlice
from covidct.imaging.formats.png import encode_png
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.readers import read_slice

SIZE = (48, 64)


@pytest.fixture(scope="module")
def pixels():
    return phantom_slice(3, size=(150, 200)).ct_slice.pixels


@pytest.fixture(scope="module")
def slices(phantom_dataset):
    return prepare(read_index(phantom_dataset).items, SIZE)


def test_each_file_is_another_one_of_the_same_slice(pixels):
    for change in REENCODED:
        one, other, again = (change(pixels, np.random.default_rng(seed)) for seed in (0, 1, 0))
        assert one == again != other
        assert one != encode_png(pixels)
        small = resized(pixels, 0.25).astype(int)
        changed = read_slice(one).pixels
        factor = 0.25 * pixels.shape[0] / changed.shape[0]
        assert np.corrcoef(resized(changed, factor).ravel(), small.ravel())[0, 1] > 0.98


def test_the_kinds_are_a_jpeg_a_smaller_one_and_one_of_more_contrast(pixels):
    jpeg, smaller, stronger = (
        read_slice(change(pixels, np.random.default_rng(0))).pixels for change in REENCODED
    )
    assert jpeg.shape == stronger.shape == pixels.shape
    assert 0 < np.abs(jpeg.astype(int) - pixels).mean() < 10
    assert smaller.shape[0] < 0.76 * pixels.shape[0]
    assert stronger.std() > 1.09 * pixels.std()


def test_slices_stored_without_loss_are_read_as_they_were(slices):
    anew = read_anew(slices, encode_png)
    assert np.array_equal(anew.pixels, slices.pixels)
    assert anew.items == slices.items and not anew.skipped


def test_less_contrast_is_undone_and_poor_quality_is_not(slices):
    def moved(to_file):
        return np.abs(read_anew(slices, to_file).pixels.astype(int) - slices.pixels).mean()

    fainter = moved(lambda pixels: encode_png(with_contrast(pixels, 0.8)))
    assert fainter < moved(lambda pixels: as_jpeg(pixels, 30))
    assert fainter < moved(lambda pixels: encode_png(with_contrast(pixels, 1.4)))


def test_a_slice_whose_other_file_is_refused_stays_and_is_listed(slices):
    first = read_slice(slices.items[0].path).pixels

    def to_file(pixels):
        return b"no picture" if np.array_equal(pixels, first) else encode_png(pixels)

    anew = read_anew(slices, to_file)
    assert [skip.path for skip in anew.skipped] == [slices.items[0].path]
    assert np.array_equal(anew.pixels, slices.pixels)


def test_a_slice_that_is_small_already_is_made_no_smaller_than_what_is_read(pixels):
    _, smaller, _ = REENCODED
    for rows in (64, 70, 100):
        small = resized(pixels, rows / pixels.shape[0])
        for seed in range(5):
            made = read_slice(smaller(small, np.random.default_rng(seed))).pixels
            assert 64 <= min(made.shape) <= rows


def test_a_slice_that_is_gone_is_no_other_file_that_is_refused(slices, tmp_path):
    gone = replace(slices.items[0], path=tmp_path / "gone.png")
    with pytest.raises(UnreadableSlice):
        read_anew(replace(slices, items=(gone, *slices.items[1:])), encode_png)
