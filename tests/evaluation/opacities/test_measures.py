import numpy as np
import pytest
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import cdist
from sklearn.metrics import f1_score

from covidct.data.masks import MaskedSlice
from covidct.evaluation.opacities.measures import (
    Found,
    by_patient,
    dice,
    summarise,
    surface_distance,
)


def _disc(row, column, radius, side=64):
    rows, columns = np.indices((side, side))
    return np.hypot(rows - row, columns - column) <= radius


def _found(patient, drawn, found, source="drawn"):
    lungs = np.zeros((64, 64), np.uint8)
    lungs[8:56, 8:56] = 1
    masked = MaskedSlice(
        source, f"{source}/{patient}", "1", np.zeros_like(lungs), lungs, drawn.astype(np.uint8)
    )
    return Found(masked, lungs.astype(bool), found.astype(np.float32))


def test_dice_is_the_f1_score_of_the_places():
    one, other = _disc(30, 30, 12), _disc(34, 28, 10)
    assert dice(one, other) == pytest.approx(f1_score(one.ravel(), other.ravel()))
    assert dice(one & False, other & False) == 1
    assert dice(one, other & False) == 0


def test_surface_distance_is_that_of_the_edges_taken_by_hand():
    one, other = _disc(30, 30, 12), _disc(33, 27, 9)
    edges = [np.argwhere(mask & ~binary_erosion(mask, np.ones((3, 3)))) for mask in (one, other)]
    between = cdist(*edges)
    expected = np.concatenate([between.min(axis=0), between.min(axis=1)]).mean()
    assert surface_distance(one, other) == pytest.approx(expected, rel=0.03)
    assert surface_distance(one, one) == 0
    assert surface_distance(one, other & False) is None


def test_a_patient_is_judged_on_all_slices_together():
    drawn, nothing = _disc(30, 30, 10), _disc(0, 0, -1)
    rows = by_patient([_found("a", drawn, drawn), _found("a", nothing, nothing)])
    assert [row["patient"] for row in rows] == ["drawn/a"]
    assert rows[0]["opacities_dice"] == 1
    assert rows[0]["share_drawn"] == pytest.approx(drawn.sum() / (2 * 48 * 48))
    assert rows[0]["share_error"] == 0


def test_slices_are_counted_as_called_with_and_without_opacities():
    drawn, nothing = _disc(30, 30, 10), _disc(0, 0, -1)
    figures = summarise(
        [
            _found("a", drawn, drawn),
            _found("a", drawn, nothing),
            _found("b", nothing, nothing),
            _found("b", nothing, drawn),
            _found("c", nothing, nothing),
        ]
    )["by_source"]["drawn"]
    assert figures["detected"] == {"slices": 1, "of": 2}
    assert figures["falsely_detected"] == {"slices": 1, "of": 3}
    assert figures["patients"] == 3
