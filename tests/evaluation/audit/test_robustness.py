import numpy as np
import pytest

from covidct.evaluation.audit.robustness import CHANGES, label_flips, probabilities_after
from covidct.imaging import CTSlice, read_slice
from covidct.imaging.phantom import phantom_slice
from covidct.inference.calibration import Calibration

BY_NAME = {change.name: change for change in CHANGES}


@pytest.fixture(scope="module")
def pixels():
    return phantom_slice(5, size=(150, 200)).ct_slice.pixels


def changed(name, pixels):
    return read_slice(BY_NAME[name].to_file(pixels)).pixels.astype(int)


def test_every_change_gives_a_file_that_is_read_as_a_slice(pixels):
    assert len(BY_NAME) == len(CHANGES)
    for name in BY_NAME:
        assert changed(name, pixels).std() > 10


def test_stored_again_the_slice_is_the_same_or_nearly_so(pixels):
    assert np.array_equal(changed("PNG", pixels), pixels)
    errors = [np.abs(changed(f"JPEG {q}", pixels) - pixels).mean() for q in (95, 75, 50)]
    assert 0 < errors[0] < errors[1] < errors[2] < 10


def test_sizes_positions_and_greys_are_what_the_names_say(pixels):
    assert changed("resize 0.5×", pixels).shape == (75, 100)
    assert changed("resize 2×", pixels).shape == (300, 400)
    assert np.array_equal(changed("mirror", pixels), pixels[:, ::-1])
    shifted = changed("shift 5 % right and down", pixels)
    assert shifted.shape == pixels.shape
    assert np.array_equal(shifted[8:, 10:], pixels[:-8, :-10])
    assert (shifted[:8, 10:] == pixels[0, :-10]).all()
    dark, bright = pixels < 100, pixels > 155
    assert (changed("window: contrast −25 %", pixels)[dark] >= pixels[dark]).all()
    assert (changed("window: contrast +25 %", pixels)[bright] >= pixels[bright]).all()
    assert (changed("window: gamma 0.8", pixels) >= pixels).all()
    assert (changed("window: gamma 1.25", pixels) <= pixels).all()


def test_a_network_that_tells_left_from_right_is_turned_over_by_the_mirror(
    linear_classifier, phantoms
):
    weights = np.ones((48, 64)) / 48 / 64
    weights[:, 32:] *= -1
    classifier = linear_classifier(weights)
    ct_slices = [phantom.ct_slice for phantom in phantoms]
    before = [classifier.classify(ct_slice).probability for ct_slice in ct_slices]
    mirrored = probabilities_after(classifier, ct_slices, BY_NAME["mirror"])
    assert np.mean((np.array(mirrored) < 0.5) != (np.array(before) < 0.5)) > 0.8
    assert probabilities_after(classifier, ct_slices, BY_NAME["PNG"]) == before


def test_a_slice_that_becomes_too_small_is_not_compared(linear_classifier, pixels):
    classifier = linear_classifier(np.zeros((48, 64)))
    ct_slices = [CTSlice(np.ascontiguousarray(pixels[:100])), CTSlice(pixels)]
    after = probabilities_after(classifier, ct_slices, BY_NAME["resize 0.5×"])
    assert after == [None, classifier.classify(ct_slices[1]).probability]


def test_it_is_counted_which_way_verdicts_turn_and_whether_the_app_warned():
    calibration = Calibration(operating_point=0.5, abstain_band=(0.4, 0.6))
    before = [0.1, 0.1, 0.9, 0.45, 0.1, 0.9, 0.7]
    after = [0.9, 0.55, 0.2, 0.52, 0.39, 0.55, None]
    row = label_flips(CHANGES[0], calibration, before, after, np.array(list("abcdefg")))
    assert (row["change"], row["target"], row["met"]) == ("JPEG 50", 0.03, False)
    assert (row["flipped"], row["n"], row["excluded"]) == (4, 6, 1)
    assert (row["to_positive"], row["both_decided"]) == (3, 2)
    assert row["share"] == pytest.approx(4 / 6)
    nothing = label_flips(CHANGES[0], calibration, [0.1], [None], np.array(["a"]))
    assert nothing["flipped"] == nothing["n"] == 0
    assert nothing["share"] is nothing["met"] is None
