import shutil

import pytest

from covidct.data.corrections import correct
from covidct.evaluation.evaluate import evaluate
from covidct.evaluation.most_useful import most_useful
from covidct.evaluation.results import path_of, read_evaluation
from covidct.inference.classifier import Classifier


@pytest.fixture(scope="module")
def classifier(tiny_model):
    return Classifier.open(tiny_model)


def test_the_least_certain_slice_comes_first(classifier, phantom_dataset, tmp_path):
    slices = sorted(phantom_dataset.rglob("*.png"))[:8]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    found = most_useful(classifier, [bad, *slices, tmp_path / "gone.png"])
    assert {one.path for one in found} <= set(slices)
    assert len(found) > 1
    point = classifier.card.calibration.operating_point
    distances = [abs(one.probability - point) for one in found]  # the point is 0.5
    assert distances == sorted(distances)
    assert all((one.probability >= point) == (one.label == "Positive") for one in found)


def test_of_very_many_slices_some_from_all_over_are_asked_about(
    classifier, phantom_dataset, monkeypatch
):
    monkeypatch.setattr("covidct.evaluation.most_useful.MOST", 3)
    slices = sorted(phantom_dataset.rglob("*.png"))
    asked = []

    def watched(some):
        for path in some:
            asked.append(path)
            yield path

    most_useful(classifier, slices, watched)
    assert asked == [slices[0], slices[11], slices[23]]
    assert most_useful(classifier, []) == ()


def test_a_relabelled_slice_is_found_where_it_lies_beside_one_of_its_name(
    own_home, classifier, phantom_dataset, tmp_path
):
    data = shutil.copytree(phantom_dataset, tmp_path / "data")
    correct(data, data / "CT_COVID" / "a.png", "NonCOVID")
    figures = evaluate(classifier, data, "all", tmp_path / "out")
    assert figures["corrections"] == {"relabelled": 1}
    slices = read_evaluation(tmp_path / "out").slices
    found = {path_of(data, one): one.class_name for one in slices}
    assert found[data / "CT_COVID" / "a.png"] == "NonCOVID"
    assert set(found) == set(data.rglob("*.png"))
    assert len({one.identity for one in slices}) == len(slices)
