"""What a run comes to when it is killed, starved or robbed of its data, and resumed."""

import json
import random
import resource
import shutil
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import two_convolutions
from forked import start_covidct

from covidct.errors import ConfigError, DatasetError
from covidct.inference.classifier import Classifier
from covidct.inference.store import open_model
from covidct.training import jobs
from covidct.training.callbacks import RefuseDivergence
from covidct.training.fit import fit, resume
from covidct.training.progress import read_status
from covidct.training.run_folder import finished_epochs, read_metrics, start_run_folder

pytestmark = pytest.mark.train

KILLS = 10


@pytest.fixture(scope="module")
def trained_run(phantom_dataset, tiny, tmp_path_factory):
    """A finished run of two epochs; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("runs") / "trained"
    fit(phantom_dataset, folder, replace(tiny, epochs=2))
    return folder


def launch(folder):
    log = folder / "log.txt"
    return start_covidct(
        ["train", "--run", folder, "--resume"], log, log, before=two_convolutions.REGISTER
    )


def wait_for_a_bad_moment(folder, process, kill, chance):
    """In turns: after any step it speaks of, while a backup is written, while any file appears."""
    backup = folder / "backup" / "unfinished" / "latest.weights.h5"
    steps, said, before = chance.randrange(1, 14), None, set()
    while process.is_alive():
        time.sleep(0.001)  # the process needs the processor more
        if kill % 3 == 0:
            steps -= said != (said := read_status(folder).updated)
            if steps < 0:
                break
        elif kill % 3 == 1 and _is_being_written(backup):
            break
        elif kill % 3 == 2:
            now = {file.name for file in folder.iterdir() if ".json" not in file.name}
            if before and now - before:
                break
            before = now
    time.sleep(chance.uniform(0, 0.1))


def _is_being_written(file):
    """Anew: what is only laid out to be restored is a second name of the kept file."""
    try:
        return file.stat().st_nlink == 1
    except FileNotFoundError:
        return False


@pytest.mark.endurance
def test_a_run_killed_ten_times_ends_as_if_it_had_not_been(
    phantom_dataset, tiny, tmp_path, phantoms
):
    config = replace(tiny, epochs=12)
    folder, chance = tmp_path / "killed", random.Random(5)
    start_run_folder(folder, phantom_dataset, config)
    done = 0
    for kill in range(KILLS):
        process = launch(folder)
        try:
            wait_for_a_bad_moment(folder, process, kill, chance)
        finally:
            process.kill()
            process.join()
        print(f"killed after {finished_epochs(folder)} epochs: {read_status(folder).message}")
        assert finished_epochs(folder) >= done
        done = finished_epochs(folder)
        assert len(read_metrics(folder)) in (done, done + 1)
    process = launch(folder)
    process.join()
    assert process.exitcode == 0, (folder / "log.txt").read_text()[-2000:]

    rows = read_metrics(folder)
    assert [row["epoch"] for row in rows] == list(range(12))
    assert (folder / "metrics.csv").read_text().count("\n") == 12 + 1
    assert read_status(folder).state == "finished"
    assert Classifier.load(folder).classify(phantoms[0].ct_slice).label in ("Positive", "Negative")

    fit(phantom_dataset, tmp_path / "whole", config)
    for row, undisturbed in zip(rows, read_metrics(tmp_path / "whole"), strict=True):
        assert row["val_loss"] == pytest.approx(undisturbed["val_loss"], rel=0.02)


def test_a_half_written_backup_and_row_are_done_again(trained_run, tmp_path):
    """The traces of a kill in the middle of writing, as they would lie on the disk."""
    folder = shutil.copytree(trained_run, tmp_path / "run")
    before = read_metrics(folder)
    settings = (folder / "config.json").read_text()
    (folder / "config.json").write_text(settings.replace('"epochs": 2', '"epochs": 3'))
    backup = folder / "backup"
    whole = (backup / "epoch-0002" / "latest.weights.h5").read_bytes()
    (backup / "unfinished").mkdir()
    (backup / "unfinished" / "latest.weights.h5").write_bytes(whole[: len(whole) // 2])
    (backup / "epoch-0001").mkdir()  # half removed
    (folder / "best.weights.h5.part").write_bytes(whole[:100])
    (folder / "unfinished.keras").write_bytes(b"PK")
    with (folder / "metrics.csv").open("a") as file:
        file.write("2,0.5,0.")
    assert read_metrics(folder) == before
    card = resume(folder)
    rows = read_metrics(folder)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert rows[:2] == before
    assert card.about["epochs_run"] == 3
    assert [path.name for path in backup.iterdir()] == ["epoch-0003"]
    assert open_model(folder)[2].sha256 == card.sha256


def test_best_weights_lost_between_two_steps_are_taken_from_the_backup(
    phantom_dataset, tiny, tmp_path
):
    folder = tmp_path / "run"
    fit(phantom_dataset, folder, replace(tiny, epochs=1))
    (folder / "best.weights.h5").unlink()
    (folder / "model.tflite").unlink()
    resume(folder)
    open_model(folder)


def test_early_stopping_holds_across_an_interruption(phantom_dataset, tiny, tmp_path):
    """Random weights behind a trained head give a constant AUC: no progress from epoch 1 on."""
    folder = tmp_path / "run"
    fit(phantom_dataset, folder, replace(tiny, epochs=9, early_stopping=2, learning_rate=1e-7))
    rows = read_metrics(folder)
    best = int(np.argmax([row["val_auc"] for row in rows]))
    assert len(rows) == best + 1 + 2
    assert read_status(folder).state == "finished"
    resume(folder)
    assert read_metrics(folder) == rows


def test_a_loss_that_is_no_number_ends_the_training_in_words():
    RefuseDivergence().on_train_batch_end(0, {"loss": 0.7})
    with pytest.raises(ConfigError, match="lower learning rate"):
        RefuseDivergence().on_train_batch_end(1, {"loss": float("nan")})


def test_slices_that_vanish_while_they_are_read_are_a_failure(phantom_dataset, tiny, tmp_path):
    data = shutil.copytree(phantom_dataset, tmp_path / "data")

    def pull_the_disk(items):
        for i, item in enumerate(items):
            if i == 5:
                shutil.rmtree(data)
            yield item

    with pytest.raises(DatasetError, match="half-way"):
        fit(data, tmp_path / "run", tiny, pull_the_disk)
    assert "half-way" in read_status(tmp_path / "run").message


def test_a_run_does_not_go_on_with_other_data(phantom_dataset, trained_run, tmp_path):
    folder = shutil.copytree(trained_run, tmp_path / "run")
    data = shutil.copytree(phantom_dataset, tmp_path / "data")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"data": str(data)}))
    resume(folder)
    one = str(data / "CT_COVID" / "b.png")
    cv2.imwrite(one, 255 - cv2.imread(one))
    with pytest.raises(DatasetError, match="not the one that this run began with"):
        resume(folder)
    assert "began with" in read_status(folder).message


@pytest.mark.endurance
def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(
    small_disk, phantom_dataset, quick, monkeypatch
):
    disk, enlarge = small_disk
    monkeypatch.setenv("COVIDCT_HOME", str(disk))
    folder = jobs.runs_dir() / "run"
    start_run_folder(folder, phantom_dataset, replace(quick, probe_views=0))
    process = launch(folder)
    process.join()
    status = read_status(folder)
    assert status.state == "failed"
    assert "disk is full" in status.message
    assert "1 of 3 epochs are kept" in status.message
    assert len(read_metrics(folder)) >= 1
    enlarge()
    process = launch(folder)
    process.join()
    assert read_status(folder).state == "finished", (folder / "log.txt").read_text()[-2000:]
    assert [row["epoch"] for row in read_metrics(folder)] == [0, 1, 2]
    open_model(folder)


def test_running_out_of_memory_is_named(own_home, phantom_dataset, quick):
    config = replace(quick, image_size=512, epochs=100, batch_size=18, probe_views=0)
    folder = jobs.runs_dir() / "run"
    start_run_folder(folder, phantom_dataset, config)
    process = launch(folder)
    while read_status(folder).state != "running":
        assert process.is_alive(), (folder / "log.txt").read_text()[-2000:]
        time.sleep(0.02)
    taken = _address_space(process.pid)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (taken + 2**26, taken + 2**26))
    process.join()
    status = read_status(folder)
    assert status.state == "failed"
    assert "memory ran out" in status.message


def _address_space(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
