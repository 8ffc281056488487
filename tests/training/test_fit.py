import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import two_convolutions
from forked import start_covidct

from covidct.data.index import read_index
from covidct.data.splits import split_for_training
from covidct.errors import ConfigError
from covidct.imaging.anatomy.segmentation import segmentation_id
from covidct.imaging.readers import read_slice
from covidct.inference.card import read_card
from covidct.inference.classifier import Classifier
from covidct.training.fit import fit, resume
from covidct.training.run_folder import (
    drop_metrics_after,
    finished_epochs,
    read_metrics,
    read_run_folder,
    start_run_folder,
)

pytestmark = pytest.mark.train

EPOCHS = 6  # of which it is killed after the first


@pytest.fixture(scope="module")
def config(tiny):
    return replace(tiny, epochs=EPOCHS, batch_size=6, probe_views=2, trainable_share=0.25, seed=4)


@pytest.fixture(scope="module")
def run(phantom_dataset, config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    fit(phantom_dataset, folder, config)
    return folder


def test_a_run_keeps_the_network_that_finds_lungs_and_opacities(run):
    assert read_card(run).segmentation == segmentation_id()


def test_every_epoch_reports_all_metrics_for_training_and_validation(run):
    rows = read_metrics(run)
    assert [row["epoch"] for row in rows] == list(range(EPOCHS))
    for name in ("loss", "accuracy", "sensitivity", "specificity", "auc"):
        for row in rows:
            assert np.isfinite(row[name])
            assert np.isfinite(row[f"val_{name}"])


def test_the_run_folder_is_a_model_that_can_be_asked(run, phantoms):
    classifier = Classifier.load(run)
    assert classifier.classify(phantoms[0].ct_slice).label in ("Positive", "Negative")
    card = read_card(run)
    assert card.about["recipe"]["epochs"] == EPOCHS
    assert card.about["slices"]["training"]["COVID"] > 0


def test_the_card_holds_the_average_map_of_the_training_slices(run, config, phantom_dataset):
    classifier = Classifier.load(run)
    training, _ = split_for_training(
        read_index(phantom_dataset), config.validation_share, config.seed
    )
    maps = [classifier.predict(read_slice(item.path)).cam for item in training]
    average = np.mean(maps, axis=0)
    assert np.ptp(average) > 0
    assert np.allclose(classifier.average_map, average, rtol=1e-3, atol=1e-3 * np.ptp(average))


def test_the_kept_weights_are_those_of_the_best_epoch(run):
    rows = read_metrics(run)
    best = max(rows, key=lambda row: row["val_auc"])
    assert read_card(run).about["best_epoch"] == best["epoch"] + 1


def test_a_used_folder_is_refused(run, config, phantom_dataset):
    with pytest.raises(ConfigError, match="in use"):
        fit(phantom_dataset, run, config)


def test_there_must_be_a_run_to_resume(tmp_path):
    with pytest.raises(ConfigError, match="no run to resume"):
        resume(tmp_path)


def test_a_killed_run_goes_on_to_the_same_result(run, config, phantom_dataset, tmp_path):
    """Killed after the first epoch and resumed, it logs each epoch once, with the same figures."""
    folder = tmp_path / "killed"
    start_run_folder(folder, phantom_dataset, config)
    log = folder / "log.txt"
    process = start_covidct(
        ["train", "--run", folder, "--resume"], log, log, before=two_convolutions.REGISTER
    )
    while process.is_alive() and not finished_epochs(folder):
        time.sleep(0.005)
    process.kill()
    process.join()
    assert 1 <= finished_epochs(folder) < EPOCHS
    resume(folder)
    whole, resumed = read_metrics(run), read_metrics(folder)
    assert [row["epoch"] for row in resumed] == list(range(EPOCHS))
    for one, other in zip(whole, resumed, strict=True):
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=0.02)


def test_rows_beyond_the_backup_are_dropped(run, tmp_path):
    shutil.copytree(run, tmp_path / "copy")
    drop_metrics_after(tmp_path / "copy", 1)
    assert [row["epoch"] for row in read_metrics(tmp_path / "copy")] == [0]


def test_settings_of_a_run_are_written_down(run, config, phantom_dataset):
    settings = json.loads((run / "config.json").read_text())
    assert settings["data"] == str(phantom_dataset.resolve())
    assert read_run_folder(run) == (phantom_dataset.resolve(), config, (), ())
