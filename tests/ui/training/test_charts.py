import json
import math

import pytest

from covidct.ui.training import charts


def epoch(number: int, auc: float, **others: float) -> dict[str, float]:
    names = ("loss", "accuracy", "sensitivity", "specificity")
    values = dict.fromkeys(names, 0.5) | {f"val_{name}": 0.4 for name in names}
    return {"epoch": float(number), "auc": 0.6, "val_auc": auc, **values, **others}


ROWS = [epoch(0, 0.7), epoch(1, 0.9), epoch(2, 0.9), epoch(3, 0.8)]


def test_each_epoch_is_a_point_of_training_and_one_of_validation_and_the_kept_one_is_marked():
    table = charts.tidy(ROWS, "auc", kept=2)
    assert sorted(table["epoch"].unique()) == [1, 2, 3, 4]
    assert (table.groupby("epoch").size() == 2).all()
    assert set(table[table["kept"]]["epoch"]) == {2}


def test_what_is_no_number_or_missing_is_no_point():
    table = charts.tidy([epoch(0, 0.7, loss=math.nan), {"epoch": 1.0, "val_auc": 0.6}], "loss", 0)
    assert table["series"].tolist() == [charts.VALIDATION]


@pytest.mark.parametrize("metric", charts.TITLES)
@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS])
def test_every_curve_can_be_drawn_from_the_first_moment_on(metric, rows):
    spec = charts.curve(rows, metric, epochs=4, kept=min(len(rows), 2)).to_dict()
    json.dumps(spec, allow_nan=False)
    assert spec["title"]["text"] == charts.TITLES[metric]


def test_a_new_epoch_changes_the_data_and_not_the_chart():
    before, after = (charts.curve(rows, "auc", 4, kept=2).to_dict() for rows in (ROWS[:2], ROWS))
    for spec in (before, after):
        del spec["datasets"], spec["data"]
    assert before == after


def test_overlaid_runs_have_a_colour_each():
    spec = charts.overlaid(
        {"a": ROWS, "b": ROWS[:2], "c": []}, "loss", {"a": 2, "b": 2, "c": 0}
    ).to_dict()
    scale = spec["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["a", "b", "c"]
    assert len(set(scale["range"])) == 3


def test_the_roc_holds_every_model_and_its_operating_point():
    steps = [(0.0, 0.0), (0.0, 0.5), (1.0, 1.0)]
    spec = charts.roc({"x": steps, "y": steps}, {"x": (0.1, 0.5), "y": (0.2, 0.6)}).to_dict()
    rows = [row for data in spec["datasets"].values() for row in data]
    assert {row["model"] for row in rows if "model" in row} == {"x", "y"}
    assert {"model": "y", "false_positive_rate": 0.2, "sensitivity": 0.6} in rows
