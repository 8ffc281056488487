import json
import shutil

import pytest

from covidct.errors import ModelError
from covidct.evaluation.audit import AUDIT_FILE
from covidct.evaluation.card import assemble
from covidct.evaluation.search import TABLE_FILE
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


def test_figures_of_another_model_are_refused(shipped, tmp_path):
    folder = tmp_path / shipped.name
    shutil.copytree(shipped, folder)
    file = folder / "evaluation" / AUDIT_FILE
    figures = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(figures | {"model_id": "another@0"}), encoding="utf-8")
    with pytest.raises(ModelError, match="another@0"):
        assemble(folder)
