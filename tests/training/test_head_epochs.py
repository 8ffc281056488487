import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import two_convolutions
from forked import start_covidct
from sklearn.metrics import roc_auc_score

from covidct.data.index import read_index
from covidct.data.prepared import prepare
from covidct.data.reencode import REENCODED
from covidct.data.splits import split_for_training
from covidct.errors import TrainingStopped
from covidct.imaging.anatomy.thorax_crop import network_pixels
from covidct.inference.card import read_card
from covidct.inference.classifier import Classifier
from covidct.jobs.status import request_stop
from covidct.reports.words import conversion
from covidct.training import fit as fitting
from covidct.training import head_epochs
from covidct.training.fit import fit, resume
from covidct.training.progress import read_status
from covidct.training.run_folder import finished_epochs, kept_epoch, read_metrics, start_run_folder

pytestmark = pytest.mark.train

EPOCHS = 2 + len(REENCODED)


@pytest.fixture(scope="module")
def config(tiny):
    return replace(tiny, epochs=0, probe_views=2, seed=4)


@pytest.fixture(scope="module")
def run(phantom_dataset, config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "solved"
    fit(phantom_dataset, folder, config)
    return folder


def test_each_view_is_an_epoch_with_all_figures(run):
    rows = read_metrics(run)
    assert [row["epoch"] for row in rows] == list(range(EPOCHS))
    for row in rows:
        for name in ("loss", "accuracy", "sensitivity", "specificity", "auc"):
            assert np.isfinite([row[name], row[f"val_{name}"]]).all()
    status = read_status(run)
    assert (status.state, status.epoch, status.epochs) == ("finished", EPOCHS, EPOCHS)
    assert kept_epoch(run) == read_card(run).about["best_epoch"] == EPOCHS


def test_what_was_trained_is_what_is_used(run, config, phantom_dataset):
    _, items = split_for_training(read_index(phantom_dataset), config.validation_share, config.seed)
    classifier = Classifier.load(run)
    slices = prepare(items, classifier.card.image_size)
    logits, _ = classifier.forward(network_pixels(slices.pixels, classifier.card.preprocess_input))
    assert roc_auc_score(slices.labels, logits) == pytest.approx(read_metrics(run)[-1]["val_auc"])


def test_the_share_of_verdicts_on_which_floats_differ_stands_on_the_card(run):
    card = read_card(run)
    told = card.about["conversion"]
    differing = told["differing_validation_verdicts"]
    assert 0 <= differing <= 1
    assert card.in_integers == told["in_integers"] == (differing <= told["most_accepted"])


def test_floats_are_kept_where_integers_change_too_many_verdicts(
    phantom_dataset, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(fitting, "MOST_DIFFERING", -1.0)
    fit(phantom_dataset, tmp_path / "run", replace(config, probe_views=1))
    card = read_card(tmp_path / "run")
    assert not card.in_integers
    assert "32-bit floats" in conversion(card.about)
    assert len(read_metrics(tmp_path / "run")) == 1 + len(REENCODED)
    classifier = Classifier.load(tmp_path / "run")
    slices = prepare(read_index(phantom_dataset).items[:4], card.image_size)
    images = network_pixels(slices.pixels, card.preprocess_input)
    assert np.allclose(
        classifier.forward(images)[0], classifier.model(images)[:, 0], rtol=1e-3, atol=1e-3
    )


def test_a_killed_run_goes_on_to_the_same_result(run, config, phantom_dataset, tmp_path):
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
    assert finished_epochs(folder) >= 1
    resume(folder)
    for one, other in zip(read_metrics(run), read_metrics(folder), strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-3)


def test_a_stop_keeps_the_head_of_the_views_so_far_and_resuming_goes_on(
    run, config, phantom_dataset, tmp_path
):
    folder = tmp_path / "stopped"

    def stop_at_the_last_slice(items):
        yield from items
        (folder / "stop").touch()

    start_run_folder(folder, phantom_dataset, config)
    with pytest.raises(TrainingStopped):
        resume(folder, stop_at_the_last_slice)
    assert not (folder / "card.json").exists()

    seen = []

    def stop_after_an_epoch(run_folder, row):
        seen.append(row)
        append(run_folder, row)
        request_stop(run_folder)

    append = head_epochs.append_metrics
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head_epochs, "append_metrics", stop_after_an_epoch)
        resume(folder)
    assert len(read_metrics(folder)) == len(seen) == 1
    assert read_status(folder).state == "stopped"
    assert Classifier.load(folder).card.about["epochs_run"] == 1
    resume(folder)
    assert read_status(folder).state == "finished"
    for one, other in zip(read_metrics(run), read_metrics(folder), strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-3)


def test_the_default_backbones_features_need_no_tensorflow(root):
    code = """
import sys
import numpy as np
from covidct.imaging.anatomy.thorax_crop import crop_thorax
from covidct.imaging.phantom import phantom_slice
from covidct.models.backbones import get_backbone, unit_preprocess_input
from covidct.models.pooling import TrunkMaps
from covidct.imaging.anatomy.thorax_crop import network_pixels
from covidct.runtime.graph import Graph
from covidct.training.config import TrainConfig
from covidct.training.trunks import pretrained_graph
config = TrainConfig()
pixels = crop_thorax(phantom_slice(1, 3).ct_slice, config.input_size).pixels[None]
trunks = TrunkMaps(Graph(pretrained_graph(config, pixels)), get_backbone(config.backbone))
features = trunks.features(network_pixels(pixels, unit_preprocess_input))
print(np.isfinite(features).all(), {"tensorflow", "keras"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True set()\n", "")
