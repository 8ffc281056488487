import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from covidct.data import forest
from covidct.data.sources import read_source
from covidct.errors import ConfigError
from covidct.evaluation.audit import looks, run
from covidct.evaluation.audit.robustness import CHANGES, TRIED_OUT_OF_FOLD
from covidct.evaluation.recipes import flips
from covidct.evaluation.recipes.cross_validation import cross_validation
from covidct.evaluation.recipes.search import OUT_OF_FOLD_FILE, TABLE_FILE, cross_validate
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.readers import read_slice
from covidct.inference.classifier import Classifier
from covidct.training.config import TrainConfig

pytestmark = pytest.mark.train

CONFIG = TrainConfig(image_size=64, probe_views=2)

STORED = next(change for change in CHANGES if change.name == "PNG")


def _sources(dataset, tmp_path_factory):
    """A data set, the same once more as another source, and one class of it as a third."""
    alone = tmp_path_factory.mktemp("alone")
    shutil.copytree(dataset / "CT_NonCOVID", alone / "CT_NonCOVID")
    texts = (f"drawn={dataset}", f"again={dataset}:0.5", f"healthy={alone}:0.25")
    return [read_source(text) for text in texts]


@pytest.fixture(scope="module")
def searched(phantom_dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("search") / "found"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flips, "TRIED_OUT_OF_FOLD", (STORED, *TRIED_OUT_OF_FOLD))
        return out, cross_validate(_sources(phantom_dataset, tmp_path_factory), out, CONFIG)


def test_no_patient_is_on_both_sides_and_every_slice_is_held_out_once(searched):
    with (searched[0] / OUT_OF_FOLD_FILE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["class"], row["file"]) for row in rows}) == len(rows) == 24
    folds = {}
    for row in rows:
        folds.setdefault(row["class"] + row["patient"], set()).add(row["fold"])
    assert all(len(held_out_in) == 1 for held_out_in in folds.values())
    assert {row["fold"] for row in rows} == set("01234")


def test_the_figures_are_those_of_the_out_of_fold_table(searched):
    out, figures = searched
    assert figures == json.loads((out / TABLE_FILE).read_text(encoding="utf-8"))
    with (out / OUT_OF_FOLD_FILE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ill = np.array([row["class"] == "COVID" for row in rows])
    probabilities = np.array([float(row["probability"]) for row in rows])
    called = probabilities >= figures["calibration"]["operating_point"]
    assert figures["accuracy"] == pytest.approx((called == ill).mean())
    assert figures["n"] == len(rows)


def test_every_recipe_is_reported_beside_the_kept_one(searched):
    rows = searched[1]["recipes"]
    assert rows[0]["helped"] == "kept"
    assert len({row["recipe"] for row in rows}) == len(rows) > 6
    for row in rows:
        assert len(row["roc_auc_folds"]) == 5
        assert row["roc_auc"] == pytest.approx(np.mean(row["roc_auc_folds"]))
    assert len(cross_validation(searched[0])) == len(rows)


@pytest.mark.endurance
def test_a_backbone_of_one_trunk_is_not_told_of_others(phantom_dataset, tmp_path):
    config = replace(CONFIG, backbone="astra_resnet", probe_views=1)
    figures = cross_validate([read_source(f"drawn={phantom_dataset}")], tmp_path / "found", config)
    recipes = {row["recipe"] for row in figures["recipes"]}
    assert "pooled over the thorax only" in recipes
    assert not any("trunk alone" in name or "source" in name for name in recipes)


def test_each_other_source_is_judged_without_having_been_seen(searched, phantom_dataset):
    """Heads that saw nothing of a source; the model itself saw all of them."""
    again, healthy = searched[1]["out_of_source"]
    assert (again["source"], again["n"]) == ("again", 24)
    assert (healthy["source"], healthy["class"], healthy["n"]) == ("healthy", "NonCOVID", 12)
    assert again["roc_auc"] > 0.9  # the same slices are known from the first source
    weights = {
        name: counts["weight"]
        for name, counts in Classifier.load(searched[0]).card.about["slices"].items()
    }
    assert weights == {"drawn": 1.0, "again": 0.5, "healthy": 0.25}


def test_the_first_source_needs_both_classes(phantom_dataset, tmp_path, tmp_path_factory):
    _, _, healthy = _sources(phantom_dataset, tmp_path_factory)
    with pytest.raises(ConfigError, match="one class only"):
        cross_validate([healthy], tmp_path / "found", CONFIG)


def test_it_is_told_what_turns_verdicts_over_that_were_not_trained_on(searched):
    for kind in ("flips", "flips_without_changed_files"):
        stored, *changed = searched[1][kind]
        assert (stored["n"], stored["flipped"], stored["excluded"]) == (24, 0, 0)
        assert [row["change"] for row in changed] == [one.name for one in TRIED_OUT_OF_FOLD]


def test_the_kept_recipe_is_left_as_a_model_that_opens(searched):
    out, figures = searched
    classifier = Classifier.load(out)
    assert classifier.card.image_size == (48, 64)
    assert classifier.card.calibration.operating_point == figures["calibration"]["operating_point"]
    ill, healthy = (
        classifier.classify(phantom_slice(100 + seed, lesions, 160).ct_slice).probability
        for seed, lesions in ((0, 6), (1, 0))
    )
    assert ill > healthy


def test_the_card_holds_the_average_map_of_the_slices(searched, phantom_dataset):
    classifier = Classifier.load(searched[0])
    files = sorted(phantom_dataset.glob("*/*.png"))
    average = np.mean([classifier.predict(read_slice(file)).cam for file in files], axis=0)
    assert len(files) == 24
    assert np.ptp(average) > 0
    assert np.allclose(classifier.average_map, average, rtol=1e-3, atol=1e-3 * np.ptp(average))


def test_the_model_runs_in_integers_with_verdicts_like_those_in_floats(searched, phantom_dataset):
    classifier = Classifier.load(searched[0])
    assert classifier.card.in_integers
    slices = [read_slice(file) for file in sorted(phantom_dataset.glob("*/*.png"))]
    in_integers, in_floats = (
        np.array([look.prediction.probability for look in asked.predict_many(slices)])
        for asked in (classifier, classifier.in_floats())
    )
    assert not np.array_equal(in_integers, in_floats)
    assert np.abs(in_integers - in_floats).max() < 0.15
    assert np.corrcoef(in_integers, in_floats)[0, 1] > 0.98


def test_the_audit_compares_integers_with_floats(searched, phantom_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(forest, "_TREES", 10)  # of no interest here, nor are other changes
    monkeypatch.setattr(looks, "CHANGES", ())
    classifier = Classifier.load(searched[0])
    (row,) = run.audit(classifier, phantom_dataset, "all", tmp_path)["flips"]
    assert (row["change"], row["n"], row["target"]) == ("network in 32-bit floats", 24, 0.03)
    assert row["flipped"] <= 3


def test_a_head_needs_a_view(phantom_dataset, tmp_path):
    with pytest.raises(ConfigError, match="one or more"):
        cross_validate(
            [read_source(f"drawn={phantom_dataset}")],
            tmp_path,
            replace(CONFIG, probe_views=0, epochs=1),
        )


def test_a_folder_in_use_is_left_alone(searched, phantom_dataset):
    before = sorted(path.name for path in searched[0].iterdir())
    with pytest.raises(ConfigError, match="in use"):
        cross_validate([read_source(f"drawn={phantom_dataset}")], searched[0], CONFIG)
    assert sorted(path.name for path in searched[0].iterdir()) == before
