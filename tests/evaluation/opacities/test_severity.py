import json

import cv2
import numpy as np
import pytest

from covidct.data.masks import MaskedSlice
from covidct.errors import DatasetError
from covidct.evaluation.opacities.measures import Found
from covidct.evaluation.opacities.severity import SEVERITY_FILE, agreement, as_text, severity
from covidct.imaging.anatomy.segmentation import segmentation_id
from covidct.imaging.phantom import phantom_slice


def _slice(patient, drawn, found, source="drawn"):
    """Two lungs of 100 places each, of which as many on the left are drawn and found opaque."""
    lungs = np.zeros((24, 24), np.uint8)
    lungs[7:17, 1:11] = lungs[7:17, 13:23] = 1
    layers = np.zeros((2, *lungs.shape), np.uint8)
    for layer, count in zip(layers, (drawn, found), strict=True):
        inside = np.zeros(100, np.uint8)
        inside[:count] = 1
        layer[7:17, 1:11] = inside.reshape(10, 10)
    masked = MaskedSlice(source, f"{source}/{patient}", None, lungs, lungs, layers[0])
    return Found(masked, lungs > 0, layers[1].astype(np.float32))


def test_a_patients_share_and_zones_are_those_of_the_masks():
    """Three thirds of one lung, of which 0, 30 and 80 % are drawn and as much but once found."""
    slices = [_slice("a", *both) for both in ((0, 0), (30, 30), (80, 20))]
    (row,) = severity(slices)["patients"]
    assert (row["patient"], row["slices"]) == ("drawn/a", 3)
    assert row["share_drawn"] == pytest.approx(110 / 600)
    assert row["share_found"] == pytest.approx(50 / 600)
    assert (row["severity_drawn"], row["severity_found"]) == (2 + 4, 2 + 1)


def test_sources_on_which_nobody_drew_are_no_measure():
    slices = [_slice("a", 10, 10), _slice("b", 0, 40, source="clean")]
    assert [row["patient"] for row in severity(slices)["patients"]] == ["drawn/a"]
    with pytest.raises(DatasetError, match="No opacity"):
        severity(slices[1:])


def test_agreement_is_numpys_correlation_and_the_mean_differences():
    rng = np.random.default_rng(0)
    drawn = rng.uniform(size=12)
    found = drawn + rng.normal(-0.1, 0.1, 12)
    rows = [{"x_drawn": d, "x_found": f} for d, f in zip(drawn, found, strict=True)]
    figures = agreement(rows, "x")
    assert figures["correlation"] == pytest.approx(np.corrcoef(drawn, found)[0, 1])
    assert figures["correlation_ci95"][0] < figures["correlation"] < figures["correlation_ci95"][1]
    assert figures["bias"] == pytest.approx((found - drawn).mean())
    assert figures["error"] == pytest.approx(np.abs(found - drawn).mean())


def test_of_too_few_patients_or_equal_ones_there_is_no_correlation():
    rows = [{"x_drawn": 0.1, "x_found": 0.2}] * 2
    assert agreement(rows, "x")["correlation"] is None
    assert agreement(rows * 3, "x")["correlation"] is None


def test_the_command_measures_the_network_in_use_and_says_what_it_may_have_seen(run, tmp_path):
    for kind in ("slices", "lung-masks", "lesion-masks"):
        (tmp_path / "drawn" / kind).mkdir(parents=True)
    for seed in range(12):
        phantom = phantom_slice(300 + seed, 1 + seed // 3 * 2, 200)
        for kind, layer in (
            ("slices", phantom.ct_slice.pixels),
            ("lung-masks", phantom.lung_mask * np.uint8(255)),
            ("lesion-masks", phantom.lesion_mask * np.uint8(255)),
        ):
            name = f"p{seed // 3}_{seed % 3}.png"
            cv2.imwrite(str(tmp_path / "drawn" / kind / name), layer)
    done = run("severity", "--masks", tmp_path / "drawn", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads((tmp_path / "out" / SEVERITY_FILE).read_text())
    assert figures["segmentation"] == segmentation_id()
    assert not figures["out_of_patient"]
    assert [row["slices"] for row in figures["patients"]] == [3] * 4
    assert figures["share"]["error"] < 0.05
    assert figures["share"]["correlation"] > 0.7
    assert "may have learnt from these very patients" in done.stdout
    unseen = "\n".join(as_text(figures | {"out_of_patient": True}))
    assert "saw none of the patient" in unseen
