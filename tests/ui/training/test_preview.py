from dataclasses import fields, replace

import numpy as np
import pytest

from covidct.data.augment import Augmentation
from covidct.ui.training import preview

NOTHING = Augmentation(**{field.name: type(field.default)(0) for field in fields(Augmentation)})


@pytest.fixture(scope="module")
def crops():
    return preview.crops_of_phantoms((72, 96), 2)


def test_crops_have_the_size_of_the_networks_input(crops):
    assert [crop.shape for crop in crops] == [(72, 96, 4)] * 2


def test_files_that_are_no_slices_are_passed_over(phantom_dataset, tmp_path):
    (tmp_path / "text.png").write_text("no slice")
    paths = [tmp_path / "text.png", tmp_path / "gone.png", *phantom_dataset.glob("*/a.png")]
    assert len(preview.crops_of_files(paths, (48, 64), 8)) == 2
    assert len(preview.crops_of_files(paths, (48, 64), 1)) == 1


def test_each_row_begins_with_the_slice_itself(crops):
    rows = preview.variants(crops, Augmentation(), seed=0, count=3)
    assert [len(row) for row in rows] == [4, 4]
    for crop, (first, *changed) in zip(crops, rows, strict=True):
        assert np.array_equal(first, crop)
        assert not any(np.array_equal(crop, picture) for picture in changed)


def test_without_augmentation_nothing_changes(crops):
    for crop, row in zip(crops, preview.variants(crops, NOTHING, 0, 2), strict=True):
        assert all(np.array_equal(crop, picture) for picture in row)


def test_the_same_draw_gives_the_same_pictures_and_another_draw_others(crops):
    one, same, other = (preview.variants(crops, Augmentation(), seed, 2) for seed in (0, 0, 1))
    assert np.array_equal(one[0][1], same[0][1])
    assert not np.array_equal(one[0][1], other[0][1])


def test_moving_a_slider_shows_at_once(crops):
    one = preview.variants(crops, Augmentation(), 0, 2)
    other = preview.variants(crops, replace(Augmentation(), rotation_degrees=45.0), 0, 2)
    assert not np.array_equal(one[0][1], other[0][1])


def test_a_montage_holds_every_picture_in_its_cell():
    rows = [[np.full((15, 20, 3), 10 * (3 * r + c), np.uint8) for c in range(3)] for r in range(2)]
    picture = preview.montage(rows, cell=20, ground=255)
    assert picture.shape == (34, 68)
    assert picture[5, 5] == 0
    assert picture[25, 60] == 50
    assert picture[16, 5] == 255
