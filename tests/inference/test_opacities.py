import numpy as np
import pytest

from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.phantom import phantom_slice
from covidct.inference.opacities import (
    OpacityFindings,
    findings_of,
    halves,
    opacities_of,
    outlined,
    series_opacities,
)


def _findings(lungs, opaque):
    return OpacityFindings(sum(opaque) / max(1, sum(lungs)), "one", "", lungs, opaque)


def test_planted_lesions_are_found_and_clean_lungs_are_clean():
    for seed in range(40, 46):
        clean, ill = phantom_slice(seed, 0), phantom_slice(seed, 4)
        assert findings_of(clean.ct_slice).sides == "none"
        found = opacities_of(ill.ct_slice)
        drawn = ill.lesion_mask.sum() / ill.lung_mask.sum()
        assert found.share_of_lung == pytest.approx(drawn, abs=0.08)
        overlap = 2 * (found.mask & ill.lesion_mask).sum()
        assert overlap / (found.mask.sum() + ill.lesion_mask.sum()) > 0.5


def test_the_map_is_a_probability_on_the_slices_grid_and_nothing_outside_the_lungs():
    phantom = phantom_slice(3, 3, (161, 203))
    found = opacities_of(phantom.ct_slice)
    assert found.probability.shape == found.mask.shape == (161, 203)
    assert found.probability.dtype == np.float32
    assert 0 <= found.probability.min() <= found.probability.max() <= 1
    assert not found.probability[~phantom.ct_slice.lung_mask].any()


def test_more_haze_never_lowers_the_share():
    phantom = phantom_slice(11, 0)
    grey = phantom.ct_slice.pixels.astype(float)
    shares = []
    for density in np.linspace(0, 0.6, 7):
        hazy = np.where(phantom.lung_mask, grey + density * np.maximum(235 - grey, 0), grey)
        shares.append(findings_of(CTSlice(hazy.astype(np.uint8))).share_of_lung)
    assert shares[0] < 0.01
    assert shares[-1] > 0.1
    assert (np.diff(shares) > -0.02).all()


def test_one_side_and_both_are_told_apart():
    for seed in range(60, 80):
        phantom = phantom_slice(seed, 2)
        left, right = halves(phantom.lung_mask)
        drawn = [(phantom.lesion_mask & side).sum() / side.sum() for side in (left, right)]
        if max(drawn) > 0.08 and (min(drawn) == 0 or min(drawn) > 0.08):
            told = findings_of(phantom.ct_slice)
            assert told.sides == ("both" if min(drawn) else "one"), seed


def test_the_outline_changes_only_the_border_of_the_mask():
    phantom = phantom_slice(5, 3)
    found = opacities_of(phantom.ct_slice)
    picture = outlined(phantom.ct_slice, found.mask)
    coloured = np.ptp(picture.astype(int), axis=2) > 0
    assert coloured.any()
    assert not coloured[~phantom.ct_slice.lung_mask].mean() > 0.01


def test_a_series_is_summed_over_its_volume():
    """Ten slices; one lung is opaque in the three next to the feet, by hand: 300 of 2,000."""
    clean, ill = _findings((100, 100), (0, 0)), _findings((100, 100), (100, 0))
    whole = series_opacities([ill] * 3 + [clean] * 7, from_the_feet=True)
    assert whole.volume_share == pytest.approx(300 / 2000)
    assert whole.zone_shares == pytest.approx((300 / 800, 0, 0))
    assert whole.severity == 4  # 300 of 400 in the lower zone of one lung
    assert whole.sides == "one"
    assert "lower third" in whole.sentence


def test_zones_are_not_named_where_the_direction_is_unknown():
    ill = _findings((100, 100), (100, 100))
    whole = series_opacities([ill] * 6, from_the_feet=False)
    assert (whole.zone_shares, whole.severity) == ((), 24)
    assert "third" not in whole.sentence


@pytest.mark.parametrize(
    ("share", "score"), [(0.0, 0), (0.005, 0), (0.1, 1), (0.25, 2), (0.6, 3), (0.75, 4), (1.0, 4)]
)
def test_each_zone_is_scored_by_quarters(share, score):
    opaque = int(1000 * share)
    assert (
        series_opacities(
            [_findings((1000, 1000), (opaque, opaque))] * 3, from_the_feet=True
        ).severity
        == 6 * score
    )


def test_a_series_without_opacities_says_so():
    whole = series_opacities([_findings((100, 100), (0, 0))] * 4, from_the_feet=False)
    assert (whole.severity, whole.sides, whole.volume_share) == (0, "none", 0)
    assert whole.sentence.startswith("No opacity")
