"""A new run begins only while runs leave room on the disk, and none is deleted to make it."""

import os

import pytest

from covidct.__main__ import main
from covidct.data.kept import keep, kept_folder
from covidct.errors import ConfigError, DatasetError
from covidct.imaging.phantom import phantom_slice
from covidct.jobs.lock import take_lock
from covidct.training import jobs, queue
from covidct.training.progress import read_status
from covidct.training.sweep import start_sweep


@pytest.fixture
def waiting(own_home, phantom_dataset, quick, monkeypatch):
    """A run that waits, and room for no more."""
    lock = take_lock(jobs.runs_dir() / queue.TRAINING_LOCK, lambda: True)
    run = jobs.start(phantom_dataset, quick, "waits")
    (run / "ballast").write_bytes(bytes(2 * 1024**2))
    monkeypatch.setenv("COVIDCT_RUNS_MB", "2")
    yield run
    os.close(lock)


def test_a_new_run_is_refused_with_what_to_delete_and_what_to_raise(
    waiting, phantom_dataset, quick
):
    told = r"take 2 MB.*may take 2 MB.*COVIDCT_RUNS_MB.*“waits” with 2 MB"
    with pytest.raises(ConfigError, match=told):
        jobs.start(phantom_dataset, quick, "new")
    with pytest.raises(ConfigError, match=told):
        start_sweep(phantom_dataset, quick, "dropout", [0.1, 0.5], 3, "sweep")
    assert jobs.list_runs() == (waiting,)
    (waiting / "ballast").unlink()
    assert jobs.start(phantom_dataset, quick, "new").is_dir()


def test_a_run_whose_turn_comes_when_there_is_no_room_says_so_and_trains_nothing(
    waiting, monkeypatch
):
    monkeypatch.setenv(queue.LOCK_VARIABLE, str(os.open(os.devnull, os.O_RDONLY)))
    assert main(["train", "--run", str(waiting), "--resume"]) == 1
    said = read_status(waiting)
    assert (said.state, "COVIDCT_RUNS_MB" in said.message) == ("failed", True)
    assert (waiting / "ballast").exists()
    assert not (waiting / "backup").exists()


def test_no_slice_is_kept_for_which_there_is_no_room(own_home, monkeypatch):
    pixels = phantom_slice(seed=1).ct_slice.pixels
    monkeypatch.setenv("COVIDCT_DATA_MB", "0")
    with pytest.raises(DatasetError, match="COVIDCT_DATA_MB"):
        keep(pixels, "patient")
    assert not kept_folder().exists()
    monkeypatch.setenv("COVIDCT_DATA_MB", "1")
    keep(pixels, "patient")
    assert len(list(kept_folder().rglob("*.png"))) == 1
