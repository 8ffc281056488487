import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from covidct.evaluation.compare import compare, difference_in_auc
from covidct.evaluation.evaluate import evaluate_validation
from covidct.evaluation.metrics import Verdicts
from covidct.inference.card import read_card


def verdicts(probabilities, labels, patients):
    return Verdicts(labels, probabilities, probabilities > 0.5, patients)


@pytest.fixture
def crowd():
    """200 slices of 100 patients, with a good and a poor ranking of them."""
    rng = np.random.default_rng(1)
    labels = np.repeat(rng.random(100) < 0.5, 2)
    patients = np.repeat(np.arange(100).astype(str), 2)
    good = 1 / (1 + np.exp(-(rng.normal(size=200) + 3 * labels - 1.5)))
    poor = rng.random(200)
    return verdicts(good, labels, patients), verdicts(poor, labels, patients)


def test_a_clear_difference_is_no_noise(crowd):
    good, poor = crowd
    difference, (low, high), chance = difference_in_auc(good, poor)
    assert difference == pytest.approx(
        roc_auc_score(good.labels, good.probabilities)
        - roc_auc_score(poor.labels, poor.probabilities)
    )
    assert 0 < low < difference < high
    assert chance < 0.01


def test_changing_sides_changes_the_sign_alone(crowd):
    forth, back = difference_in_auc(*crowd), difference_in_auc(*crowd[::-1])
    assert forth[0] == -back[0]
    assert forth[1] == pytest.approx((-back[1][1], -back[1][0]))
    assert forth[2] == back[2]


def test_the_same_model_twice_differs_by_nothing(crowd):
    assert difference_in_auc(crowd[0], crowd[0]) == (0, (0, 0), 1)


def test_pairing_sees_a_small_difference_that_unpaired_intervals_hide(crowd):
    good, poor = crowd
    slightly = replace(good, probabilities=good.probabilities + 0.15 * poor.probabilities)
    _, (low, high), _ = difference_in_auc(good, slightly)
    assert high - low < 0.05


def test_two_models_of_equal_worth_seldom_seem_to_differ():
    chances = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        labels = np.arange(60) % 2 == 0
        patients = np.array([f"{i % 2}{i // 4}" for i in range(60)])
        one, two = (verdicts(rng.random(60) + 0.5 * labels, labels, patients) for _ in range(2))
        chances.append(difference_in_auc(one, two, seed)[2])
    assert np.median(chances) > 0.2


def test_a_run_is_compared_on_its_validation_slices(trained_run, tmp_path):
    folder = shutil.copytree(trained_run, tmp_path / "run")
    comparison = compare(folder)
    assert comparison.candidate["model_id"] == read_card(folder).model_id
    assert comparison.incumbent["model_id"].startswith("covidct-astra@")
    held = read_card(folder).about["slices"]["validation"]
    assert len(comparison.slices) == comparison.candidate["n"] == held["COVID"] + held["NonCOVID"]
    assert not any(row.path.endswith("CT_COVID/a.png") for row in comparison.slices)
    difference = comparison.candidate["roc_auc"] - comparison.incumbent["roc_auc"]
    assert comparison.auc_difference == pytest.approx(difference)
    assert comparison.is_worse == (difference < 0)
    assert difference == 0 or "too few to tell" in comparison.verdict
    for row in comparison.slices:
        point = comparison.candidate["operating_point"]
        assert (row.candidate_label == "Positive") == (row.candidate_probability >= point)

    (kept,) = (folder / "comparison").iterdir()
    values = json.loads(kept.read_text()) | {"verdict": "Kept."}
    kept.write_text(json.dumps(values))
    assert compare(folder) == replace(comparison, verdict="Kept.")
    kept.write_text("{")
    assert compare(folder) == comparison
    shutil.rmtree(folder / "comparison")
    (folder / "comparison").write_text("No folder can be made here.")
    assert compare(folder) == comparison


def test_a_run_is_validated_itself_though_another_has_its_name(
    trained_run, tiny_model, own_home, tmp_path, monkeypatch
):
    shutil.copytree(tiny_model, own_home / "runs" / "first")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained_run, "first")
    model_id = read_card(tmp_path / "first").model_id
    assert evaluate_validation("first")["model_id"] == model_id
    assert read_card(tmp_path / "first").model_id == model_id
