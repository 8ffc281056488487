import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from own_segmentation import give_own_segmentation, write_segmentation

from covidct.data.index import Item, read_index
from covidct.data.masks import MaskedSlice
from covidct.data.splits import split_for_training
from covidct.errors import DatasetError
from covidct.evaluation.compare import compare
from covidct.imaging.phantom import phantom_slice
from covidct.inference.card import SEGMENTATION_FOLDER, read_card
from covidct.inference.classifier import Classifier
from covidct.inference.promotion import current_model, promote, rollback
from covidct.reports.words import learnt_masks
from covidct.training import segmentation
from covidct.training.config import TrainConfig
from covidct.training.fit import fit, resume
from covidct.training.own_segmentation import (
    is_better,
    overlap,
    settle_segmenter,
    split_by_patient,
    validation_masks,
)
from covidct.training.progress import ProgressWriter
from covidct.training.run_folder import start_run_folder

EMPTY, FULL = np.zeros((8, 8), np.uint8), np.ones((8, 8), np.uint8)
CONFIG = TrainConfig(validation_share=0.25)


def _masked(patient, opaque, file=None):
    return MaskedSlice("drawn", patient, file, EMPTY, FULL, FULL if opaque else EMPTY)


def _patients(slices):
    return {one.patient for one in slices}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Slices of eight patients a class; all of those with opacities have masks, some others."""
    root = tmp_path_factory.mktemp("masked") / "slices"
    for name in ("CT_COVID", "CT_NonCOVID", "lung-masks", "lesion-masks"):
        (root / name).mkdir(parents=True)
    for seed in range(16):
        ill = seed % 2
        phantom = phantom_slice(300 + seed, 5 * ill, 96)
        folder, name = ("CT_NonCOVID", "CT_COVID")[ill], f"{'abcdefghijklmnop'[seed]}.png"
        cv2.imwrite(str(root / folder / name), phantom.ct_slice.pixels)
        if ill or seed % 4 == 0:
            cv2.imwrite(str(root / "lung-masks" / name), phantom.lung_mask * np.uint8(255))
            cv2.imwrite(str(root / "lesion-masks" / name), phantom.lesion_mask * np.uint8(255))
    return root


@pytest.fixture
def promoted(own_home, tmp_path):
    """The shipped network with opacities of its own, in use."""
    model = shutil.copytree(current_model(), tmp_path / "other")
    give_own_segmentation(model)
    promote(model)
    return read_card(model)


def _run(folder, data, masks=()):
    start_run_folder(folder, data, CONFIG, masks=masks)
    return folder, ProgressWriter(folder)


def test_no_patient_is_learnt_from_and_judged_by():
    slices = [_masked(f"p{i // 2}", opaque=i < 16) for i in range(24)]
    sides = split_by_patient(slices, Path("/data"), ((), ()), CONFIG)
    training, validation = map(_patients, sides)
    assert not training & validation
    assert len(training) + len(validation) == 12
    assert len(validation) == 3
    assert {one.share > 0 for one in sides.validation} == {True, False}


def test_slices_of_the_data_set_stay_on_their_side_and_what_is_left_out_stays_out():
    data = Path("/data")
    files = {name: data / "CT_COVID" / name for name in ("a", "b", "out")}
    items = ([Item(files["a"], 1, "COVID/7")], [Item(files["b"], 1, "COVID/8")])
    slices = [_masked(name, True, file) for name, file in files.items()]
    training, validation = split_by_patient(slices, data, items, CONFIG)
    assert _patients(training) == {"COVID/7"}
    assert _patients(validation) == {"COVID/8"}


@pytest.mark.parametrize(
    "slices",
    [
        [],
        [_masked("p1", True)],
        [_masked(f"p{i}", False) for i in range(9)],
        [_masked("p1", True), *(_masked(f"p{i}", False) for i in range(2, 9))],
    ],
)
def test_without_opacities_on_either_side_nothing_is_learnt(slices):
    with pytest.raises(DatasetError, match="two patients or more"):
        split_by_patient(slices, Path("/data"), ((), ()), CONFIG)


def test_a_network_is_better_by_opacities_and_not_worse_by_lungs():
    in_use = {"lungs": 0.95, "opacities": 0.5}
    assert is_better({"lungs": 0.945, "opacities": 0.6}, in_use)
    assert not is_better({"lungs": 0.90, "opacities": 0.9}, in_use)
    assert not is_better({"lungs": 0.99, "opacities": 0.5}, in_use)


def test_without_masks_a_run_goes_by_the_network_in_use_whatever_is_promoted_later(
    promoted, data, tmp_path
):
    run, writer = _run(tmp_path / "run", data)
    own = settle_segmenter(run, writer)
    assert own.sha256 == promoted.segmentation
    rollback()
    assert settle_segmenter(run, writer).sha256 == promoted.segmentation
    later, writer = _run(tmp_path / "later", data)
    assert settle_segmenter(later, writer) is None
    assert not (later / SEGMENTATION_FOLDER).exists()
    promote(tmp_path / "other")
    assert settle_segmenter(later, writer) is None


def test_what_an_interrupted_run_left_is_not_taken_for_settled(own_home, data, tmp_path):
    run, writer = _run(tmp_path / "run", data)
    write_segmentation(run / SEGMENTATION_FOLDER)
    assert settle_segmenter(run, writer) is None


def test_masks_that_are_gone_end_a_run_with_a_reason(own_home, data, tmp_path):
    run, writer = _run(tmp_path / "run", data, [tmp_path / "gone"])
    with pytest.raises(DatasetError, match="holds no slices with masks"):
        settle_segmenter(run, writer)


@pytest.mark.train
def test_what_is_learnt_from_masks_is_used_and_promoted_where_it_is_better(
    own_home, data, tiny, tmp_path, monkeypatch
):
    """Better than a network that calls all of the lungs opaque."""
    monkeypatch.setattr(segmentation, "DRAWINGS", 0)
    monkeypatch.setattr(segmentation, "EPOCHS", 1)
    model = shutil.copytree(current_model(), tmp_path / "other")
    poor = give_own_segmentation(model) / "card.json"
    poor.write_text(json.dumps(json.loads(poor.read_text()) | {"intercept": 99.0}))
    promote(model)
    run = tmp_path / "run"
    card = fit(data, run, tiny, masks=[data])
    judged = card.about["masks"]
    assert judged["kept"], judged
    assert judged["new"]["opacities"] > judged["in_use"]["opacities"]
    assert judged["training"]["slices"] + judged["validation"]["slices"] == 12
    assert "are found by a network that was learnt" in learnt_masks(card.about)
    assert "are found as before" in learnt_masks({"masks": judged | {"kept": False}})

    classifier = Classifier.load(run)
    assert classifier.segmenter.sha256 == card.segmentation != read_card(model).segmentation
    assert overlap(classifier.segmenter, validation_masks(run)) == judged["new"]
    training, _ = split_for_training(read_index(data), tiny.validation_share, tiny.seed)
    assert not {one.file for one in validation_masks(run)} & {item.path for item in training}
    assert resume(run).segmentation == card.segmentation

    compared = compare(run).masks
    assert compared == {
        "candidate": judged["new"],
        "incumbent": judged["in_use"],
        "patients": judged["validation"]["patients"],
    }
    promote(run)
    shutil.rmtree(run)
    assert Classifier.load().segmenter.sha256 == card.segmentation
    rollback()
    assert Classifier.load().card.segmentation == read_card(model).segmentation
