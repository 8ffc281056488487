import numpy as np
import pytest

from covidct.imaging.anatomy.haze import hazy_cover
from covidct.imaging.anatomy.occlusion import without_lungs
from covidct.imaging.anatomy.thorax_crop import GROUND, LUNG_LEVEL, TISSUE_LEVEL, crop_thorax
from covidct.imaging.phantom import phantom_slice

GRID = (192, 256)
HAZE_LEVEL = 100  # about -530 HU


def disc(radius):
    rows, columns = np.mgrid[: GRID[0], : GRID[1]]
    return np.hypot(rows - GRID[0] / 2, columns - GRID[1] / 2) < radius


def test_of_the_thorax_the_outer_zone_is_covered_where_it_is_hazy():
    thorax = np.uint8(255 * disc(90))
    cover = hazy_cover(np.full(GRID, HAZE_LEVEL, np.uint8), thorax)
    assert cover.dtype == np.uint8
    assert not cover[thorax == 0].any()
    assert not cover[disc(35)].any()  # 55 columns from the edge
    assert (cover[disc(89) & ~disc(48)] == 255).all()


@pytest.mark.parametrize("level", [LUNG_LEVEL, TISSUE_LEVEL, 0, 255])
def test_neither_aerated_lung_nor_soft_tissue_is_hazy(level):
    cover = hazy_cover(np.full(GRID, level, np.uint8), np.full(GRID, 255, np.uint8))
    assert not cover.any()


def test_where_the_picture_ends_the_thorax_ends():
    cover = hazy_cover(np.full(GRID, HAZE_LEVEL, np.uint8), np.full(GRID, 255, np.uint8))
    assert (cover[0] == 255).all() and (cover[:, -1] == 255).all()
    assert not cover[90:100, 120:130].any()


def test_the_zone_grows_with_the_picture():
    large = np.full(GRID, 255, np.uint8)
    small = large[::2, ::2]
    shares = [hazy_cover(np.full_like(one, HAZE_LEVEL), one).mean() / 255 for one in (small, large)]
    assert abs(shares[0] - shares[1]) < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_planted_opacities_are_covered_better_than_healthy_lung(seed):
    """Not them alone: edges of vessels are hazy too."""
    phantom = phantom_slice(seed, 3)
    chest = crop_thorax(phantom.ct_slice, GRID)
    cover = chest.to_slice_grid(np.float32(hazy_cover(chest.grey, chest.pixels[..., 1]))) / 255
    healthy = phantom.lung_mask & ~phantom.lesion_mask
    assert cover[phantom.lesion_mask].mean() > 1.5 * cover[healthy].mean()


def test_lungs_that_are_taken_away_leave_no_haze(phantoms):
    for phantom in phantoms[:4]:
        pixels = crop_thorax(phantom.ct_slice, GRID).pixels
        seen, blanked = (
            hazy_cover(one[..., 0], one[..., 1]).sum() for one in (pixels, without_lungs(pixels))
        )
        assert (without_lungs(pixels)[pixels[..., 2] > 0, 0] == GROUND).all()
        assert blanked < 0.1 * seen
