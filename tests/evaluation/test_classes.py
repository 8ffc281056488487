import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from covidct.commands.shared import print_figures
from covidct.evaluation.classes import (
    class_verdicts,
    class_verdicts_of,
    confusion,
    summarise_classes,
)
from covidct.evaluation.compare import compare
from covidct.evaluation.evaluate import (
    classify_items,
    evaluate,
    evaluate_validation,
    figures_of,
    validation_items,
    verdicts_of,
    write_evaluation,
)
from covidct.evaluation.metrics import Verdicts, summarise
from covidct.evaluation.results import read_evaluation, read_review
from covidct.inference.card import read_card
from covidct.inference.classifier import Classifier

NAMES = ("COVID", "Normal", "Pneumonia")


def told(patients=30, slices_each=3, seed=0):
    """Labels, probabilities, whether Positive, and patients of slices that are told apart better
    than by chance."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(patients) % len(NAMES), slices_each)
    logits = rng.normal(size=(len(truth), len(NAMES))) + 1.5 * np.eye(len(NAMES))[truth]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [NAMES[k] for k in truth]
    probabilities = [dict(zip(NAMES, row, strict=True)) for row in shares.tolist()]
    positive = [row["COVID"] >= 0.3 for row in probabilities]
    return labels, probabilities, positive, [f"{i // slices_each}" for i in range(len(truth))]


def without(left_out, *columns):
    """The columns without the slices of a label."""
    kept = [i for i, label in enumerate(columns[0]) if label != left_out]
    return [[column[i] for i in kept] for column in columns]


def test_figures_agree_with_scikit_learn():
    labels, probabilities, positive, patients = told()
    verdicts = class_verdicts(labels, probabilities, positive, patients)
    called = [
        "COVID" if is_positive else max(NAMES[1:], key=row.__getitem__)
        for row, is_positive in zip(probabilities, positive, strict=True)
    ]
    expected = confusion_matrix(labels, called, labels=NAMES)
    np.testing.assert_array_equal(confusion(verdicts), expected)
    figures = summarise_classes(verdicts)
    assert figures["confusion"] == expected.tolist()
    assert figures["accuracy"] == pytest.approx(np.trace(expected) / len(labels))
    shares = np.array([list(row.values()) for row in probabilities])
    assert figures["mean_roc_auc"] == pytest.approx(
        roc_auc_score(labels, shares, multi_class="ovr", average="macro", labels=NAMES)
    )
    for k, name in enumerate(NAMES):
        of_class = figures["each"][name]
        auc = roc_auc_score(np.array(labels) == name, shares[:, k])
        assert of_class["roc_auc"] == pytest.approx(auc)
        assert (of_class["n"], of_class["patients"]) == (30, 10)
    assert (figures["n"], figures["unknown"], figures["names"]) == (90, 0, list(NAMES))


@pytest.mark.parametrize("seed", range(5))
def test_no_call_contradicts_the_verdict(seed):
    labels, probabilities, _, patients = told(seed=seed)
    positive = np.random.default_rng(seed).random(len(labels)) < 0.5
    verdicts = class_verdicts(labels, probabilities, positive, patients)
    np.testing.assert_array_equal(verdicts.called == 0, positive)


def test_intervals_hold_their_value_and_repeated_slices_do_not_narrow_them():
    given = told()
    once = summarise_classes(class_verdicts(*given))
    often = summarise_classes(
        class_verdicts(*([x for x in part for _ in range(4)] for part in given))
    )
    for name, one, other in [
        ("accuracy", once, often),
        ("mean_roc_auc", once, often),
        *(("roc_auc", once["each"][name], often["each"][name]) for name in NAMES),
    ]:
        low, high = one[f"{name}_ci95"]
        assert low < one[name] < high
        assert other[f"{name}_ci95"] == pytest.approx([low, high])
    assert summarise_classes(class_verdicts(*given)) == once
    assert summarise_classes(class_verdicts(*given), seed=1) != once


def test_too_few_patients_of_a_class_give_no_interval():
    labels, probabilities, positive, patients = told()
    of_four = [
        f"few {i % 4}" if k == "Normal" else p
        for i, (k, p) in enumerate(zip(labels, patients, strict=True))
    ]
    figures = summarise_classes(class_verdicts(labels, probabilities, positive, of_four))
    assert figures["accuracy_ci95"] is figures["mean_roc_auc_ci95"] is None
    assert figures["each"]["Normal"]["roc_auc_ci95"] is None
    assert figures["each"]["COVID"]["roc_auc_ci95"] is not None


def test_slices_of_classes_that_the_model_does_not_know_are_left_out_and_counted():
    labels, *rest = told()
    other = ["Abscess" if label == "Normal" else label for label in labels]
    figures = summarise_classes(class_verdicts(other, *rest))
    assert (figures["n"], figures["unknown"]) == (60, 30)
    known = class_verdicts(*without("Normal", labels, *rest))
    assert figures == summarise_classes(known) | {"unknown": 30}


def test_a_class_without_slices_has_no_area_and_the_mean_is_that_of_the_others():
    figures = summarise_classes(class_verdicts(*without("Normal", *told())))
    nobody = {"n": 0, "patients": 0, "roc_auc": None, "roc_auc_ci95": None}
    assert figures["each"]["Normal"] == nobody
    areas = [figures["each"][name]["roc_auc"] for name in ("COVID", "Pneumonia")]
    assert figures["mean_roc_auc"] == pytest.approx(np.mean(areas))
    assert figures["confusion"][1] == [0, 0, 0]


def test_nothing_is_told_where_there_are_no_classes_to_tell_apart():
    labels, probabilities, positive, patients = told()
    assert class_verdicts([], [], [], []) is None
    assert class_verdicts(labels, [{} for _ in labels], positive, patients) is None
    strangers = [label if label == "COVID" else "NonCOVID" for label in labels]
    assert class_verdicts(strangers, probabilities, positive, patients) is None


def test_a_patient_with_slices_of_two_classes_makes_no_figure_nan():
    """As after a correction: in some bootstrap samples a class is then not drawn at all."""
    given = without("Normal", *told(patients=180, slices_each=1))
    labels, probabilities, positive, patients = given
    shared = [
        patients[labels.index("COVID", 7 * (number % 5))] if label == "Pneumonia" else patient
        for number, (label, patient) in enumerate(zip(labels, patients, strict=True))
    ]
    figures = summarise_classes(class_verdicts(labels, probabilities, positive, shared))
    json.dumps(figures, allow_nan=False)
    assert figures["mean_roc_auc_ci95"] and figures["each"]["Pneumonia"]["roc_auc_ci95"]


def test_the_area_of_covid_19_is_that_of_two_classes():
    labels, probabilities, positive, patients = told()
    is_covid = np.array(labels) == "COVID"
    covid = np.array([row["COVID"] for row in probabilities])
    binary = summarise(Verdicts(is_covid, covid, np.array(positive), np.array(patients)))
    figures = summarise_classes(class_verdicts(labels, probabilities, positive, patients))
    for name in ("roc_auc", "roc_auc_ci95"):
        assert figures["each"]["COVID"][name] == binary[name]


@pytest.fixture(scope="module")
def classified(three_class_run):
    """The validation slices of a run with what its model says of them."""
    return classify_items(Classifier.open(three_class_run), validation_items(three_class_run))[0]


def test_an_evaluation_holds_the_figures_of_the_classes_and_what_they_rest_on(
    three_class_run, three_classes, tmp_path, capsys
):
    figures = evaluate(Classifier.open(three_class_run), three_classes, "all", tmp_path)
    of_classes = figures["classes"]
    assert of_classes["names"] == ["COVID", "Normal", "Striped"]
    assert figures["learnt"] > 0  # and is left out
    assert of_classes["n"] == figures["n"] == 30 - figures["learnt"]
    assert of_classes["each"]["COVID"]["roc_auc"] == pytest.approx(figures["roc_auc"])
    positive = figures["confusion"]["COVID called Positive"]
    assert of_classes["confusion"][0][0] == positive
    assert json.loads((tmp_path / "metrics.json").read_text()) == figures

    review = read_evaluation(tmp_path)
    for one in review.slices:
        assert list(one.classes) == of_classes["names"]
        assert one.classes["COVID"] == one.probability
        assert sum(one.classes.values()) == pytest.approx(1, abs=1e-5)
    again = class_verdicts_of(review.slices)
    assert confusion(again).tolist() == of_classes["confusion"]
    never = class_verdicts_of(review.at(1.1).slices)
    assert not confusion(never)[:, 0].any()

    print_figures(figures)
    printed = capsys.readouterr().out
    words = [line.split()[:5] for line in printed.splitlines()]
    for (name, of_class), row in zip(
        of_classes["each"].items(), of_classes["confusion"], strict=True
    ):
        assert [name, *map(str, row), f"{of_class['roc_auc']:.3f}"] in words
    assert f"mean of their ROC AUC {of_classes['mean_roc_auc']:.3f}" in printed


def test_a_model_of_two_classes_leaves_no_more_than_it_did(classified, tmp_path):
    of_two = [
        replace(one, prediction=replace(one.prediction, classes={}), learnt=False)
        for one in classified
    ]
    figures = write_evaluation(tmp_path, of_two, [], "data", "all")
    assert "classes" not in figures
    assert figures_of(of_two) == summarise(verdicts_of(of_two))
    (head, *_) = csv.reader((tmp_path / "predictions.csv").read_text().splitlines())
    assert head[-2:] == ["path", "learnt"] and not any("probability of " in name for name in head)
    review = read_evaluation(tmp_path)
    assert {len(one.classes) for one in review.slices} == {0}
    assert class_verdicts_of(review.slices) is None


def test_binary_figures_are_what_they_are_without_classes(classified):
    of_two = [replace(one, prediction=replace(one.prediction, classes={})) for one in classified]
    figures = figures_of(classified)
    of_classes = figures.pop("classes")
    assert figures == figures_of(of_two)
    assert of_classes["n"] == len(classified)


def test_a_run_is_validated_and_compared_with_its_classes(three_class_run, tmp_path):
    run = shutil.copytree(three_class_run, tmp_path / "run")
    figures = evaluate_validation(run)
    assert figures["classes"] == read_review(run).figures["classes"]
    assert read_card(run).about["validation"]["classes"] == figures["classes"]
    comparison = compare(run)
    assert comparison.candidate["classes"]["names"] == ["COVID", "Normal", "Striped"]
    assert comparison.candidate["classes"]["n"] == len(comparison.slices)
    assert "classes" not in comparison.incumbent
    assert compare(run) == comparison
    assert compare(run, run).incumbent["classes"] == compare(run, run).candidate["classes"]
