from dataclasses import replace

import cv2
import numpy as np
import pytest

from covidct.data.masks import read_drawn_slices
from covidct.evaluation.audit.painting import (
    Repainted,
    opaque_places,
    painted_rows,
    repainted,
    repainted_as_drawn,
)
from covidct.imaging.phantom import phantom_slice
from covidct.inference.calibration import Calibration
from covidct.inference.classifier import Classifier


@pytest.fixture(scope="module")
def by_brightness(linear_classifier):
    """A classifier that calls everything Positive, the surer the brighter it is."""
    classifier = linear_classifier(np.full((48, 64), 3 / 48 / 64))
    classifier.card = replace(classifier.card, calibration=Calibration(1.0, 0.0))
    return classifier


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("painted") / "drawn"
    for name in ("slices", "lung-masks", "lesion-masks"):
        (folder / name).mkdir(parents=True)
    for seed in range(20, 26):
        phantom = phantom_slice(seed, 4 * (seed < 25), 200)
        name = f"p{seed}_1.png"
        cv2.imwrite(str(folder / "slices" / name), phantom.ct_slice.pixels)
        cv2.imwrite(str(folder / "lung-masks" / name), phantom.lung_mask * np.uint8(255))
        cv2.imwrite(str(folder / "lesion-masks" / name), phantom.lesion_mask * np.uint8(255))
    return folder


def test_who_judges_by_opacities_lets_go_of_them_and_not_of_other_lung(by_brightness, drawn):
    slices = repainted_as_drawn(by_brightness, read_drawn_slices(drawn))
    assert [one.patient for one in slices] == [f"drawn/p{seed}" for seed in range(20, 26)]
    assert [one.is_opaque for one in slices] == [True] * 5 + [False]
    assert slices[-1].without_opacities is slices[-1].without_other_lung is None
    lost, lost_elsewhere = np.transpose(
        [
            (one.before - one.without_opacities, abs(one.before - one.without_other_lung))
            for one in slices[:5]
        ]
    )
    assert (lost > 0).all()
    assert lost.mean() > 2 * lost_elsewhere.mean()


def test_as_found_by_the_program_it_is_much_the_same(by_brightness, drawn):
    slices = read_drawn_slices(drawn)[:5]
    found = repainted(
        by_brightness,
        [(one.patient, one.ct_slice, opaque_places(one.ct_slice)) for one in slices],
        [1.0] * 5,
    )
    as_drawn = repainted_as_drawn(by_brightness, slices)
    for one, other in zip(found, as_drawn, strict=True):
        assert one.without_opacities == pytest.approx(other.without_opacities, abs=0.05)


def test_what_was_called_negative_is_not_asked_again(by_brightness, drawn):
    one = read_drawn_slices(drawn)[0]
    card = replace(by_brightness.card, calibration=Calibration(1.0, 0.5))
    strict = Classifier(by_brightness.trunks, by_brightness.head, card)
    asked = [(one.patient, one.ct_slice, one.opacities > 0)] * 2
    assert [one.before for one in repainted(strict, asked, [0.4, 0.6])] == [0.6]


def test_rows_count_what_turned_what_fell_and_what_could_not_be_painted():
    slices = [
        Repainted("a", 0.9, True, 0.3, 0.8),
        Repainted("b", 0.9, True, 0.7, 0.95),
        Repainted("c", 0.8, False),
        Repainted("d", 0.8, True),
    ]
    opacities, other = painted_rows("val", Calibration(), slices, drawn=False)
    assert (opacities["turned"], opacities["lower"], opacities["n"]) == (1, 2, 2)
    assert (other["turned"], other["lower"]) == (0, 1)
    assert (opacities["nothing_seen"], opacities["too_full"]) == (1, 1)
    assert opacities["before"] == pytest.approx(0.9)
    assert opacities["after"] == pytest.approx(0.5)
    low, high = opacities["share_ci95"]
    assert low < opacities["share"] == 0.5 < high
    (nothing, _) = painted_rows("val", Calibration(), slices[2:], drawn=False)
    assert (nothing["n"], nothing["share"], nothing["after"]) == (0, None, None)
