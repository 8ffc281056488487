import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import patience
import pytest

from covidct.errors import ConfigError, DatasetError, TrainingStopped
from covidct.jobs.process import process_identity
from covidct.jobs.status import JobStatus, request_stop, write_status
from covidct.training.config import TrainConfig
from covidct.training.progress import ProgressWriter, read_status, recorded_run
from covidct.training.run_folder import epoch_folder, start_run_folder

PIPED = {"stdout": subprocess.PIPE, "check": True}


@pytest.fixture
def folder(tmp_path):
    start_run_folder(tmp_path / "run", tmp_path, TrainConfig(epochs=5))
    return tmp_path / "run"


@pytest.fixture
def own_status():
    return JobStatus("running", pid=os.getpid(), process_started=process_identity(os.getpid()))


def test_a_status_survives_being_written(folder, own_status):
    write_status(folder, own_status)
    read = read_status(folder)
    assert replace(read, updated="") == own_status
    assert read.is_live


@pytest.mark.parametrize("started", [None, "7@another boot"])
def test_a_process_of_which_no_start_is_known_is_not_taken_for_live(folder, own_status, started):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], **PIPED)
    for pid in (int(ended.stdout), os.getpid()):
        write_status(folder, replace(own_status, pid=pid, process_started=started))
        assert read_status(folder).state == "failed"


def test_a_run_whose_process_is_gone_reads_as_failed(folder):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process_identity(process.pid)
    write_status(folder, JobStatus("running", pid=process.pid, process_started=identity))
    assert read_status(folder).state == "running"
    process.kill()
    process.communicate()
    epoch_folder(folder, 2).mkdir(parents=True)
    status = read_status(folder)
    assert (status.state, status.epoch) == ("failed", 2)
    assert "killed" in status.message
    assert "2 of 5 epochs are kept" in status.message
    assert "model in use is untouched" in status.message


def test_a_run_that_never_started_reads_as_failed_although_the_clock_was_set_back(folder):
    write_status(folder, JobStatus("starting"))
    assert read_status(folder).is_live
    for years in (-1, 1):
        moved = time.time() + years * 365 * 24 * 3600
        os.utime(folder / "status.json", (moved, moved))
        assert read_status(folder).state == "failed"


def test_a_later_process_with_the_same_number_is_not_the_run(folder, own_status):
    write_status(folder, replace(own_status, process_started="1@another boot"))
    assert read_status(folder).state == "failed"


def test_a_run_that_was_asked_to_stop_is_stopping(folder, own_status):
    write_status(folder, own_status)
    request_stop(folder)
    assert read_status(folder).state == "stopping"


def test_a_run_that_was_asked_to_stop_never_reads_as_if_it_were_not(folder):
    """Someone who watches sees it stopping until it has stopped, whenever they look."""
    seen, looked = set(), threading.Event()

    def watch():
        while (state := read_status(folder).state) != "stopped":
            seen.add(state)
            looked.set()

    with ThreadPoolExecutor() as pool:
        for _ in range(200):
            looked.clear()
            writer = ProgressWriter(folder)
            request_stop(folder)
            writer.say(state="running")
            watching = pool.submit(watch)
            assert looked.wait(patience.SECONDS)
            writer.end(state="stopped")
            watching.result()
            assert not (folder / "stop").exists()
    assert seen == {"stopping"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3"])
def test_a_status_that_cannot_be_read_is_a_failure(folder, text):
    (folder / "status.json").write_text(text)
    assert read_status(folder).state == "failed"


def test_a_folder_without_a_status_was_never_started(folder):
    assert "never started" in read_status(folder).message


def test_most_small_steps_are_not_written(folder):
    writer = ProgressWriter(folder)
    writer.say(state="running")
    first = (folder / "status.json").stat().st_ino
    for batch in range(100):
        writer.say(batch=batch, at_once=False)
    assert (folder / "status.json").stat().st_ino == first
    writer.say(batch=100)
    assert read_status(folder).batch == 100


def test_a_stop_ends_the_reading(folder):
    read = []
    with pytest.raises(TrainingStopped), recorded_run(folder):
        for item in ProgressWriter(folder).watch(range(10), "Reading."):
            read.append(item)
            if item == 3:
                request_stop(folder)
    assert read == [0, 1, 2, 3]
    assert read_status(folder).state == "stopped"
    assert not (folder / "stop").exists()


def test_sigterm_is_a_request_to_stop(folder):
    with recorded_run(folder):
        os.kill(os.getpid(), signal.SIGTERM)
        assert read_status(folder).state == "stopping"
    assert read_status(folder).state == "stopped"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "memory ran out"),
        (ResourceExhaustedError("OOM when allocating"), "memory ran out"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "disk is full"),
        (OSError("Can't write data (errno = 28, 'No space left on device')"), "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (DatasetError("Not enough patients."), "Not enough patients."),
        (ZeroDivisionError(), "error in the program (ZeroDivisionError); see the log"),
    ],
)
def test_a_failure_is_told_in_words(folder, error, words):
    with pytest.raises(type(error)), recorded_run(folder):
        raise error
    status = read_status(folder)
    assert status.state == "failed"
    assert words in status.message
    assert "model in use is untouched" in status.message


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no run"), recorded_run(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_the_status_is_a_plain_json_object(folder, own_status):
    write_status(folder, own_status)
    values = json.loads((folder / "status.json").read_text())
    assert {"state", "epoch", "batch", "pid", "process_started", "message"} <= values.keys()
