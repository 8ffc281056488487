"""A model is judged, audited and compared on slices that it did not learn from."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from covidct.data.index import read_index
from covidct.data.prepared import prepare
from covidct.errors import NoUnseenSlices
from covidct.evaluation.audit.run import audit
from covidct.evaluation.compare import compare
from covidct.evaluation.evaluate import evaluate, validation_items
from covidct.evaluation.results import read_evaluation
from covidct.inference.card import read_card
from covidct.inference.classifier import Classifier
from covidct.inference.learnt import hashes_of
from covidct.training.run_folder import read_run_folder


def training_items(run):
    held_out = set(validation_items(run))
    asked = read_run_folder(run)
    return [item for item in read_index(asked.data, asked.exclude).items if item not in held_out]


def taught(folder, items, to):
    """A copy of a model whose card says that it learnt from these."""
    shutil.copytree(folder, to)
    hashes = hashes_of(prepare(items, (48, 64)).fingerprints)
    replace(read_card(to), learnt_from=hashes).write(to)
    return to


def test_no_figure_counts_what_a_run_learnt_from(trained_run, phantom_dataset, tmp_path):
    figures = evaluate(Classifier.open(trained_run), phantom_dataset, "all", tmp_path)
    learnt = {(item.class_name, item.path.name) for item in training_items(trained_run)}
    assert figures["learnt"] == len(learnt) == len(read_card(trained_run).learnt_from)
    assert figures["n"] == 24 - len(learnt) == sum(figures["confusion"].values())
    review = read_evaluation(tmp_path)
    assert len(review.slices) == figures["n"]
    assert learnt.isdisjoint(one.identity for one in review.slices)
    positive = [one.is_right for one in review.slices if one.is_covid]
    assert figures["sensitivity"] == pytest.approx(np.mean(positive))


def test_a_model_is_not_judged_on_what_it_learnt_from_in_other_files(
    trained_run, phantom_dataset, tmp_path
):
    data = tmp_path / "data"
    for number, item in enumerate(training_items(trained_run)):
        file = data / item.path.parent.name / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), cv2.imread(str(item.path)))
    with pytest.raises(NoUnseenSlices, match="cannot be judged"):
        evaluate(Classifier.open(trained_run), data, "all", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_models_are_compared_on_what_neither_learnt_from(trained_run, tiny_model, tmp_path):
    run = shutil.copytree(trained_run, tmp_path / "run")
    items = validation_items(run)
    seen = taught(tiny_model, [items[0]], tmp_path / "incumbent")
    comparison = compare(run, seen)
    assert comparison.left_out == comparison.incumbent["learnt"] == 1
    assert comparison.candidate["learnt"] == 0
    assert len(comparison.slices) == comparison.candidate["n"] == len(items) - 1
    assert str(items[0].path) not in {one.path for one in comparison.slices}


def test_a_model_that_learnt_from_all_validation_slices_is_compared_with_none(
    trained_run, tiny_model, tmp_path
):
    run = shutil.copytree(trained_run, tmp_path / "run")
    seen = taught(tiny_model, validation_items(run), tmp_path / "incumbent")
    with pytest.raises(NoUnseenSlices, match="neither has seen"):
        compare(run, seen)


def test_an_audit_leaves_out_what_was_learnt_unless_nothing_else_is_left(
    linear_classifier, phantom_dataset, tmp_path
):
    classifier = linear_classifier(np.zeros((48, 64)))
    items = [item for item in read_index(phantom_dataset).items if item.path.stem in "abc"]
    data = tmp_path / "data"
    for item in items:
        (data / item.path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(item.path, data / item.path.parent.name)
    hashes = hashes_of(prepare(items, (48, 64)).fingerprints)
    for learnt_from, n, learnt in (((), 6, None), (hashes[:2], 4, 0), (hashes, 6, 6)):
        classifier.card = replace(classifier.card, learnt_from=learnt_from)
        figures = audit(classifier, data, "all", tmp_path)
        assert (figures["n"], figures["learnt"]) == (n, learnt)
