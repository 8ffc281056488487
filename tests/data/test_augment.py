from dataclasses import fields, replace

import numpy as np
import pytest

from covidct.data.augment import Augmentation, augment
from covidct.imaging.anatomy.thorax_crop import GROUND, crop_thorax

NONE = Augmentation(**{f.name: type(f.default)(0) for f in fields(Augmentation)})


@pytest.fixture
def pixels(phantoms):
    return crop_thorax(phantoms[1].ct_slice, (96, 128)).pixels


def test_no_augmentation_leaves_the_slice_as_it_is(pixels):
    assert np.array_equal(augment(pixels, NONE, np.random.default_rng(0)), pixels)


@pytest.mark.parametrize(
    "change",
    [
        {"rotation_degrees": 20.0},
        {"shift_horizontal": 0.2},
        {"shift_vertical": 0.2},
        {"zoom": 0.3},
        {"contrast": 0.4},
        {"brightness": 0.3},
        {"gamma": 0.4},
        {"noise": 0.1},
        {"resolution": 0.8},
        {"compression": 0.9},
        {"blur": 0.02},
        {"marks": True},
    ],
)
def test_each_change_can_be_switched_on_alone(pixels, change):
    how = replace(NONE, **change)
    varied = [augment(pixels, how, np.random.default_rng(seed)) for seed in range(12)]
    assert any(not np.array_equal(one, pixels) for one in varied)
    assert all(one.shape == pixels.shape and one.dtype == np.uint8 for one in varied)


def test_the_ground_stays_even_and_the_covers_move_along(pixels):
    for seed in range(12):
        varied = augment(pixels, Augmentation(), np.random.default_rng(seed))
        assert (varied[varied[..., 1] == 0][:, 0] == GROUND).all()
        lungs = varied[..., 2] > 127
        assert varied[lungs, 0].mean() < varied[~lungs, 0].mean() - 40


def test_flip_mirrors_about_half_of_the_slices(pixels):
    how = replace(NONE, flip=True)
    rng = np.random.default_rng(0)
    mirrored = [np.array_equal(augment(pixels, how, rng), pixels[:, ::-1]) for _ in range(60)]
    assert 15 < sum(mirrored) < 45


def test_a_horizontal_shift_moves_columns_only(pixels):
    how = replace(NONE, shift_horizontal=0.2)
    centre = _centre_of_mass(pixels)
    moves = [
        _centre_of_mass(augment(pixels, how, np.random.default_rng(seed))) - centre
        for seed in range(6)
    ]
    assert max(abs(column) for _, column in moves) > 5
    assert max(abs(row) for row, _ in moves) < max(abs(column) for _, column in moves) / 3


def test_the_same_seed_gives_the_same_picture(pixels):
    one, other = (augment(pixels, Augmentation(), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, other)


def _centre_of_mass(pixels):
    weights = pixels[..., 2] / pixels[..., 2].sum()
    rows, columns = np.indices(weights.shape)
    return np.array([(rows * weights).sum(), (columns * weights).sum()])
