"""Runs of another host that shares the folder of runs."""

import os
import subprocess
import sys
import time

import pytest
from other_host import python_on

from covidct.errors import ConfigError
from covidct.jobs.lock import take_lock
from covidct.jobs.status import STATUS_FILE
from covidct.training import jobs, queue
from covidct.training.progress import read_status
from covidct.training.run_folder import start_run_folder

HOST = "far-away"
TRAINS = """
import sys, time
from pathlib import Path
from covidct.training import jobs
from covidct.training.progress import ProgressWriter, recorded_run

folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
with jobs.turn(folder), recorded_run(folder):
    writer = ProgressWriter(folder)
    writer.say(state="running")
    for _ in writer.watch(range(10_000), "Training."):
        time.sleep(seconds)
"""
AN_HOUR = 3600


@pytest.fixture
def folder(own_home, phantom_dataset, quick):
    start_run_folder(jobs.runs_dir() / "shared", phantom_dataset, quick)
    return jobs.runs_dir() / "shared"


def until_it_trains(folder):
    while read_status(folder).message != "Training.":
        time.sleep(0.05)


def told_of_runs(root):
    return subprocess.check_output([sys.executable, "-m", "covidct", "runs"], cwd=root, text=True)


def nothing_heard_for_an_hour(folder):
    then = time.time() - AN_HOUR
    os.utime(folder / STATUS_FILE, (then, then))


def test_a_run_of_another_host_is_live_here_is_left_alone_and_stops_when_asked(folder, root):
    with python_on(HOST, TRAINS, folder, 0.05) as process:
        until_it_trains(folder)
        status = read_status(folder)
        assert status.is_elsewhere
        assert status.host == HOST
        assert jobs.live_run() == folder
        assert f"On the host {HOST}." in told_of_runs(root)
        for refused in (jobs.resume, jobs.delete, lambda run: jobs.rename(run, "other")):
            with pytest.raises(ConfigError, match="“shared” is at work"):
                refused(folder)
        with pytest.raises(ConfigError, match=f"on the host {HOST}"), jobs.turn(folder):
            pass
        jobs.stop(folder)
        assert read_status(folder).state in ("stopping", "stopped")
        process.wait()
        assert read_status(folder).state == "stopped"
    assert HOST not in told_of_runs(root)
    jobs.delete(folder)
    assert jobs.list_runs() == ()


def test_a_run_of_a_host_that_died_is_taken_for_live_until_its_silence_tells(folder):
    with python_on(HOST, TRAINS, folder, 0.05):
        until_it_trains(folder)
    assert read_status(folder).is_live
    with pytest.raises(ConfigError, match="at work"):
        jobs.resume(folder)
    nothing_heard_for_an_hour(folder)
    status = read_status(folder)
    assert status.state == "failed"
    assert HOST in status.message
    assert "cannot reach this folder" in status.message
    lock = take_lock(jobs.runs_dir() / queue.TRAINING_LOCK, lambda: True)
    jobs.resume(folder)
    assert queue.queued_runs() == (folder,)
    jobs.stop(folder)
    os.close(lock)


def test_a_process_busy_with_one_long_thing_gives_signs_of_life(folder):
    with python_on(HOST, TRAINS, folder, AN_HOUR):
        until_it_trains(folder)
        nothing_heard_for_an_hour(folder)
        assert read_status(folder).state == "failed"
        while read_status(folder).state != "running":
            time.sleep(0.1)


def test_a_run_whose_host_is_only_silent_is_not_started_a_second_time(folder):
    """Its process holds the lock of training, wherever it is."""
    with python_on(HOST, TRAINS, folder, AN_HOUR):
        until_it_trains(folder)
        nothing_heard_for_an_hour(folder)
        jobs.resume(folder)
        queue.advance()
        assert queue.queued_runs() == (folder,)
        assert not (folder / "log.txt").exists()
        jobs.stop(folder)
