import json
import shutil

import keras
import numpy as np
import pytest
import two_convolutions

from covidct.errors import DatasetError
from covidct.evaluation.faithfulness.run import BASELINES, FIGURES, faithfulness
from covidct.evaluation.faithfulness.text import as_text
from covidct.inference.calibration import Calibration
from covidct.inference.card import ModelCard
from covidct.inference.classifier import Classifier
from covidct.inference.heatmap import METHODS
from covidct.models.backbones import BACKBONES
from covidct.models.network import build_network


@pytest.fixture(scope="module")
def classifier():
    """An untrained network of two convolutions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, two_convolutions.NAME, two_convolutions.BACKBONE)
        keras.utils.set_random_seed(1)
        network = build_network(two_convolutions.NAME, (48, 64))
        calibration = Calibration(1.0, 0.5, (0.49, 0.51))
        card = ModelCard("small", "0" * 64, network.name, (48, 64), "backbone", calibration)
        yield Classifier.of_network(network, card)


@pytest.fixture(scope="module")
def measured(classifier, marked_series, phantom_dataset, tmp_path_factory):
    out, data = tmp_path_factory.mktemp("faithfulness"), tmp_path_factory.mktemp("two slices")
    for name in ("CT_COVID", "CT_NonCOVID"):
        (data / name).mkdir()
        shutil.copy(phantom_dataset / name / "a.png", data / name)
    series = marked_series(np.fliplr)
    return faithfulness(classifier, out, series=series, data=data, planted=1), out


def rows_of(figures, where):
    return {row["method"]: row for row in figures["rows"] if row["set"] == where}


def test_each_method_stands_beside_the_baselines_on_each_set(measured):
    figures, _ = measured
    sets = figures["sets"]
    assert sets["series"]["masks_lie"] == "mirrored left to right"
    assert sets["series"]["lesion_slices"] == 4
    assert sets["planted"]["lesion_slices"] == 1
    for where, about in sets.items():
        rows = rows_of(figures, where)
        asked_none = where == "series" and not about["called_positive"]
        assert list(rows) == ([] if asked_none else [*METHODS, *BASELINES])
        for row in rows.values():
            known = {name for name in FIGURES if row[name] is not None}
            assert all(0 <= row[name] <= 1 for name in known)
            assert ("pointing" in known) == ("energy" in known) == (where != "data")


def test_a_random_map_is_right_as_often_as_lesions_take_of_the_thorax(measured):
    figures, _ = measured
    row = rows_of(figures, "planted")["random"]
    assert 0 < row["energy"] < row["pointing"] < 0.5


def test_maps_that_know_nothing_of_the_network_fail_the_randomisation_check(measured):
    figures, _ = measured
    alike = {(r["method"], r["randomised"]): r["correlation"] for r in figures["randomisation"]}
    assert {alike[name, "every layer"] for name in BASELINES} == {1.0}
    assert max(alike[name, "every layer"] for name in ("gradcam-relative", "gradcam")) < 0.9


def test_targets_say_what_was_reached_and_whether_that_is_enough(measured):
    figures, _ = measured
    targets = {target["figure"]: target for target in figures["targets"]}
    planted = targets["pointing, planted"]
    assert planted["value"] == rows_of(figures, "planted")["gradcam-relative"]["pointing"]
    assert planted["met"] == (planted["value"] >= planted["at_least"] == 0.8)
    assert targets["pointing, series"]["at_least"] == 0.6
    assert targets["method that wins"]["value"] == figures["winner"]
    assert targets["method that wins"]["met"] == (figures["winner"] == figures["default"])


def test_what_is_written_is_what_is_returned_and_what_is_said(measured):
    figures, out = measured
    assert json.loads((out / "faithfulness.json").read_text(encoding="utf-8")) == figures
    text = as_text(figures)
    missed = sum(target["met"] is False for target in figures["targets"])
    assert text.count("MISSED") == missed
    lines = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    for name in (*METHODS, *BASELINES):
        assert lines.count(name) >= 2


def test_slices_that_show_no_lungs_cannot_be_measured(tiny_model, tmp_path, no_lungs):
    for name in ("CT_COVID", "CT_NonCOVID"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(no_lungs)
    with pytest.raises(DatasetError, match="shows lungs"):
        faithfulness(Classifier.load(tiny_model), tmp_path, data=tmp_path, planted=1)


def test_the_command_refuses_a_folder_that_holds_no_series(run, tiny_model, tmp_path):
    done = run("faithfulness", "--model", tiny_model, "--series", tmp_path, "--out", tmp_path)
    assert done.returncode == 1
    assert "one series" in done.stderr
    assert not (tmp_path / "faithfulness.json").exists()
