import cv2
import numpy as np
import pytest

from covidct.data.sources import read_source
from covidct.errors import DatasetError
from covidct.evaluation.audit.sources import ILL, NUMBERS, OTHER, sources_told_apart
from covidct.evaluation.audit.text import ALL, POOLED, SCORE, meaning
from covidct.imaging.phantom import phantom_slice

LETTERS = "abcdefgh"


def _source(root, first_seed, blur, classes=("CT_COVID", "CT_NonCOVID")):
    for start, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for seed in range(8):
            pixels = phantom_slice(first_seed + 10 * start + seed, 0, 128).ct_slice.pixels
            pixels = cv2.GaussianBlur(pixels, (0, 0), blur) if blur else pixels
            cv2.imwrite(str(root / name / f"{LETTERS[seed]}.png"), pixels)
    return read_source(f"{root.name}={root}")


@pytest.fixture(scope="module")
def told(linear_classifier, tmp_path_factory):
    """Two sources that are alike, and a blurred one of one class."""
    root = tmp_path_factory.mktemp("sources")
    sources = [
        _source(root / "one", 0, 0),
        _source(root / "two", 50, 0),
        _source(root / "blurred", 100, 4, ("CT_COVID",)),
    ]
    return sources_told_apart(linear_classifier(np.full((48, 64), 1 / 48 / 64)), sources)


def _row(told, features, among):
    (row,) = [r for r in told["rows"] if (r["features"], r["among"]) == (features, among)]
    return row


def test_a_source_that_looks_otherwise_is_told_apart_and_alike_ones_are_not(told):
    among_ill, among_others = _row(told, NUMBERS, ILL), _row(told, NUMBERS, OTHER)
    assert (among_ill["named"], among_ill["n"]) == (3, 24)
    assert (among_others["named"], among_others["n"]) == (2, 16)
    assert among_ill["forest_accuracy"] > 1 / 3 + 0.15
    assert among_others["forest_accuracy"] < 0.8
    assert among_ill["forest_roc_auc"] > among_others["forest_roc_auc"]
    for row in told["rows"]:
        for method in ("forest", "regression"):
            for figure in ("accuracy", "roc_auc"):
                low, high = row[f"{method}_{figure}_ci95"]
                assert 0 <= low <= row[f"{method}_{figure}"] <= high <= 1


def test_the_sources_are_listed_and_the_sentence_holds_the_figures(told):
    assert told["sources"][2] == {"source": "blurred", "COVID": 8, "NonCOVID": 0, "patients": 8}
    pooled, score = _row(told, POOLED, ALL), _row(told, SCORE, ALL)
    said = meaning(told["rows"])
    for row in (pooled, score):
        assert f"{max(row['forest_accuracy'], row['regression_accuracy']):.0%}" in said
    assert "chance is 33%" in said


def test_a_source_of_too_few_patients_is_no_source_to_tell(linear_classifier, tmp_path):
    few = tmp_path / "few"
    (few / "CT_COVID").mkdir(parents=True)
    cv2.imwrite(str(few / "CT_COVID" / "a.png"), phantom_slice(1, 0, 128).ct_slice.pixels)
    sources = [_source(tmp_path / "one", 0, 0), read_source(f"few={few}")]
    with pytest.raises(DatasetError, match="five patients"):
        sources_told_apart(linear_classifier(np.zeros((48, 64))), sources)
