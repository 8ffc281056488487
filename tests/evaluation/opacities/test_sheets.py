import cv2
import numpy as np
import pytest

from covidct.data.masks import MaskedSlice
from covidct.data.synthetic_opacities import add_opacities
from covidct.evaluation.opacities.measures import Found
from covidct.evaluation.opacities.sheets import (
    DRAWN_HUE,
    FALSE,
    FOUND_HUE,
    MISSED,
    list_sheets,
    write_sheets,
)
from covidct.imaging.phantom import phantom_slice


def _found(seed, kind):
    """A drawing with planted opacities, of which nothing is found, or which nobody drew."""
    phantom = phantom_slice(seed, 0, 256)
    lungs = phantom.lung_mask.astype(np.uint8)
    grey, planted = add_opacities(phantom.ct_slice.pixels, lungs, np.random.default_rng(seed))
    nothing = np.zeros_like(planted)
    drawn, found = {
        MISSED: (planted, nothing),
        FALSE: (nothing, planted),
        "right": (planted, planted),
    }[kind]
    masked = MaskedSlice("drawn", f"drawn/{seed}", None, grey, lungs, drawn)
    return Found(masked, lungs > 0, found.astype(np.float32))


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    kinds = [MISSED] * 14 + [FALSE] * 3 + ["right"] * 4
    found = [_found(seed, kind) for seed, kind in enumerate(kinds)]
    folder = tmp_path_factory.mktemp("made") / "sheets"
    return folder, write_sheets(found, folder), found


def test_there_is_a_sheet_for_every_dozen_of_a_kind_and_none_of_what_is_right(sheets):
    folder, files, _ = sheets
    assert [file.name for file in files] == [
        f"{FALSE}-01.png",
        f"{MISSED}-01.png",
        f"{MISSED}-02.png",
    ]
    assert list_sheets(folder, MISSED) == files[1:]


def _tiles(file):
    sheet = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
    height = sheet.shape[0] // max(1, sheet.shape[0] // 292)
    return [
        tile
        for row in np.split(sheet, sheet.shape[0] // height)
        for tile in np.split(row, 4, axis=1)
    ]


def _has(tile, hue):
    return bool((np.abs(tile.astype(int) - hue).sum(axis=2) < 20).any())


def test_what_was_drawn_and_what_was_found_are_outlined_each_in_its_hue(sheets):
    _, (false, missed, _more), _ = sheets
    for tile in _tiles(missed):
        assert _has(tile, DRAWN_HUE) and not _has(tile, FOUND_HUE)
    shown = _tiles(false)
    assert all(_has(tile, FOUND_HUE) and not _has(tile, DRAWN_HUE) for tile in shown[:3])
    assert (shown[3] == 255).all()


def test_the_worst_comes_first(sheets):
    _, (_, first, second), found = sheets
    missed = sorted((one for one in found if not one.share), key=lambda one: -one.masked.share)
    shown = [*_tiles(first), *_tiles(second)]
    for one, tile in zip(missed[:14], shown, strict=False):
        inside = cv2.erode(one.masked.lungs, np.ones((9, 9), np.uint8)) > 0
        inside &= cv2.dilate(one.masked.opacities, np.ones((5, 5), np.uint8)) == 0
        assert np.abs(tile[:256][inside].astype(int) - one.masked.grey[inside, None]).max() < 40
