import csv
import json
import shutil
from dataclasses import replace

import pytest

from covidct.errors import ModelError
from covidct.evaluation.audit.run import AUDIT_FILE
from covidct.evaluation.audit.text import POOLED, SCORE
from covidct.evaluation.card import assemble, compare_with_earlier
from covidct.evaluation.card_text import as_markdown
from covidct.evaluation.recipes.search import OUT_OF_FOLD_FILE, TABLE_FILE
from covidct.evaluation.results import FAITHFULNESS_FILE, METRICS_FILE
from covidct.inference.card import read_card


@pytest.fixture
def shipped(root):
    return root / "weights" / "covidct-astra"


def test_the_shipped_card_says_what_the_files_beside_it_say(shipped):
    assert assemble(shipped) == read_card(shipped)


def test_each_figure_of_the_search_stands_on_the_card(shipped):
    searched = json.loads((shipped / TABLE_FILE).read_text(encoding="utf-8"))
    about = read_card(shipped).about
    assert about["cross_validation"] == searched["recipes"]
    assert about["out_of_fold"]["roc_auc"] == searched["roc_auc"]
    calibration = read_card(shipped).calibration
    assert calibration.temperature == searched["calibration"]["temperature"]
    assert calibration.operating_point == searched["calibration"]["operating_point"]


@pytest.fixture
def copied(shipped, tmp_path):
    return shutil.copytree(shipped, tmp_path / shipped.name)


def _measured(model, name, **figures):
    (model / "measured").mkdir(exist_ok=True)
    (model / "measured" / name).write_text(json.dumps(figures), encoding="utf-8")


def test_heat_maps_stand_on_the_card_as_measured(copied):
    _measured(copied, FAITHFULNESS_FILE, model_id=read_card(copied).model_id, rows=[1, 2])
    assert assemble(copied).about["heat maps of measured"] == {"rows": [1, 2]}


@pytest.mark.parametrize("name", [METRICS_FILE, AUDIT_FILE, FAITHFULNESS_FILE])
def test_figures_of_another_model_are_refused(copied, name):
    _measured(copied, name, model_id="another@0")
    with pytest.raises(ModelError, match="another@0"):
        assemble(copied)


def test_verdicts_that_differ_from_an_earlier_models_are_named(copied, tmp_path):
    earlier = shutil.copytree(copied, tmp_path / "earlier")
    compare_with_earlier(copied, earlier)
    assert assemble(copied).about["earlier_model"]["differing"] == []

    table = earlier / OUT_OF_FOLD_FILE
    with table.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    first, point = rows[0], read_card(copied).calibration.operating_point
    file, class_name = first["file"], first["class"]
    first["probability"] = "0.000001" if float(first["probability"]) >= point else "0.999999"
    with table.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, list(first))
        writer.writeheader()
        writer.writerows(rows)
    compare_with_earlier(copied, earlier)
    compared = assemble(copied).about["earlier_model"]
    (row,) = compared["differing"]
    assert row["file"] == f"{class_name}/{file}"
    assert {row["before"], row["now"]} == {"Positive", "Negative"}
    assert f"`{row['file']}`" in as_markdown(assemble(copied), copied)


def test_what_was_not_measured_is_not_on_the_page(copied):
    card = read_card(copied)
    figures = {"forests": [], "anatomy": [], "flips": []}
    without, with_audit = (
        as_markdown(replace(card, about=about), copied)
        for about in ({"limits": ["one"]}, {"limits": ["one"], "audit of x": figures})
    )
    assert "## Audit: x" in with_audit
    assert "Audit" not in without
    assert "- one" in without


def test_what_was_painted_out_and_what_tells_the_source_stand_on_the_card(copied):
    painted = {
        "of": "drawings",
        "drawn": True,
        "painted": "opacities",
        "turned": 7,
        "lower": 8,
        "n": 9,
        "nothing_seen": 2,
        "too_full": 1,
        "before": 0.81,
        "after": 0.32,
    }
    told = {"among": "all slices", "n": 40, "named": 2}
    for name in ("forest_accuracy", "forest_roc_auc", "regression_accuracy", "regression_roc_auc"):
        told |= {name: 0.93, f"{name}_ci95": [0.9, 0.95]}
    audited = {"forests": [], "anatomy": [], "painted": [painted], "flips": []}
    audited["told_apart"] = {
        "sources": [],
        "rows": [told | {"features": f} for f in (POOLED, SCORE)],
    }
    _measured(copied, AUDIT_FILE, model_id=read_card(copied).model_id, **audited)
    shutil.rmtree(copied / "evaluation")
    card = assemble(copied)
    assert "forest_accuracy_ci95" not in card.about["told_apart"][0]
    text = as_markdown(card, copied)
    assert "| drawings, as drawn | opacities | 7 of 9 | 8 | 0.81 → 0.32 | 2 | 1 |" in text
    assert "names the source of 93% of the slices" in text
    assert "| pooled features | all slices | 40 | 93% | 0.93 | 93% | 0.93 | 50% |" in text
