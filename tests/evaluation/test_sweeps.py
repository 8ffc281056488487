"""Values of a sweep compared by the verdicts that its runs left."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from covidct.evaluation.sweeps import compare_values
from covidct.spreadsheets import write_table
from covidct.training.sweep import Sweep

FOLDS, PATIENTS, SLICES = 3, 30, 2  # patients of a fold, slices of each


def judge(run, fold, spread, seed, slices=SLICES):
    """Leave verdicts on a fold, the more mistaken the wider they spread."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(PATIENTS):
        ill = patient % 2
        for number in range(slices):
            probability = float(np.clip(0.5 + (ill - 0.5) * 0.4 + rng.normal(0, spread), 0, 1))
            label = "Positive" if probability >= 0.5 else "Negative"
            file = f"{fold} {patient} {number}.png"
            rows.append((file, ("NonCOVID", "COVID")[ill], f"{fold} {patient}", probability, label))
    (run / "validation").mkdir(parents=True)
    with (run / "validation" / "predictions.csv").open("w", newline="") as file:
        write_table(file, ["file", "class", "patient", "probability", "label"], rows)
    (run / "validation" / "metrics.json").write_text(json.dumps({"operating_point": 0.5}))
    return [(row[1] == "COVID", row[3]) for row in rows]


@pytest.fixture
def sweep(tmp_path):
    """Three values: a poor one, one that is better, and one that says what the first says."""
    runs = {(v, fold): tmp_path / f"{v} {fold}" for v in range(3) for fold in range(FOLDS)}
    return Sweep("mine", "dropout", (0.1, 0.2, 0.3), FOLDS, runs)


def fill(sweep, folds=range(FOLDS)):
    spread = (0.5, 0.1, 0.5)
    return {
        (v, fold): judge(run, fold, spread[v], seed=fold + (100 if v == 1 else 0))
        for (v, fold), run in sweep.runs.items()
        if fold in folds
    }


def test_the_folds_of_a_value_are_pooled_and_compared_with_those_of_the_first(sweep):
    judged = fill(sweep)
    rows = compare_values(sweep)
    assert [row.value for row in rows] == [0.1, 0.2, 0.3]
    for v, row in enumerate(rows):
        labels, scores = zip(*(one for f in range(FOLDS) for one in judged[v, f]), strict=True)
        assert row.figures["roc_auc"] == pytest.approx(roc_auc_score(labels, scores))
        assert row.figures["patients"] == FOLDS * PATIENTS
        low, high = row.figures["roc_auc_ci95"]
        assert low < row.figures["roc_auc"] < high
    first, better, same = rows
    assert first.difference is None
    assert better.difference == pytest.approx(better.figures["roc_auc"] - first.figures["roc_auc"])
    assert better.difference_ci95[0] > 0
    assert (same.difference, same.difference_ci95) == (0, (0, 0))


def test_slices_of_one_class_are_not_compared(sweep):
    fill(sweep)
    for run in sweep.runs.values():
        table = run / "validation" / "predictions.csv"
        rows = table.read_text().splitlines()
        table.write_text("\n".join(row for row in rows if '"NonCOVID"' not in row) + "\n")
    assert all(row.figures is None for row in compare_values(sweep))


def test_only_folds_that_all_values_have_been_judged_on_count(sweep):
    judged = fill(sweep, folds=[0, 1])
    judge(sweep.runs[0, 2], 2, 0.5, seed=9)
    rows = compare_values(sweep)
    assert [row.done for row in rows] == [3, 2, 2]
    labels, scores = zip(*(judged[0, 0] + judged[0, 1]), strict=True)
    assert rows[0].figures["roc_auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert {row.figures["n"] for row in rows} == {2 * PATIENTS * SLICES}


def test_a_slice_that_one_value_lacks_counts_for_none(sweep):
    fill(sweep, folds=[0])
    judge(sweep.runs[1, 1], 1, 0.1, seed=1, slices=3)
    for v in (0, 2):
        judge(sweep.runs[v, 1], 1, 0.1, seed=1, slices=2)
    assert {row.figures["n"] for row in compare_values(sweep)} == {2 * PATIENTS * 2}


def test_before_there_is_a_common_fold_there_are_no_figures(sweep):
    assert {row.figures for row in compare_values(sweep)} == {None}
    judge(sweep.runs[0, 0], 0, 0.1, seed=1)
    judge(sweep.runs[1, 1], 1, 0.1, seed=1)
    assert [(row.done, row.figures) for row in compare_values(sweep)] == [
        (1, None),
        (1, None),
        (0, None),
    ]
