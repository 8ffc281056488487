import json
import shutil

import pytest

from covidct.errors import ModelError
from covidct.evaluation.audit import AUDIT_FILE
from covidct.evaluation.card import assemble
from covidct.evaluation.faithfulness import BASELINES
from covidct.evaluation.review import FAITHFULNESS_FILE
from covidct.evaluation.search import TABLE_FILE
from covidct.inference.heatmap import METHODS
from covidct.inference.store import read_card


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


def test_each_heat_map_method_stands_on_the_card_as_measured(shipped):
    measured = json.loads((shipped / "evaluation" / FAITHFULNESS_FILE).read_text(encoding="utf-8"))
    about = read_card(shipped).about["heat maps of evaluation"]
    assert measured.pop("model_id") == read_card(shipped).model_id
    assert about == measured
    assert {row["method"] for row in about["rows"]} == {*METHODS, *BASELINES}


@pytest.mark.parametrize("name", [AUDIT_FILE, FAITHFULNESS_FILE])
def test_figures_of_another_model_are_refused(shipped, tmp_path, name):
    folder = tmp_path / shipped.name
    shutil.copytree(shipped, folder)
    file = folder / "evaluation" / name
    figures = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(figures | {"model_id": "another@0"}), encoding="utf-8")
    with pytest.raises(ModelError, match="another@0"):
        assemble(folder)
