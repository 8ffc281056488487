"""Which run comes next, whoever asks and whatever ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

from covidct.errors import ConfigError
from covidct.jobs.lock import take_lock
from covidct.jobs.process import process_identity
from covidct.jobs.status import JobStatus, write_status
from covidct.training import jobs, queue
from covidct.training.progress import read_status
from covidct.training.run_folder import start_run_folder


@pytest.fixture
def busy(own_home):
    """Training is held up, as by a process that trains."""
    lock = take_lock(jobs.runs_dir() / queue.TRAINING_LOCK, lambda: True)
    yield
    os.close(lock)


@pytest.fixture
def three(busy, phantom_dataset, quick):
    """Three runs that wait."""
    return [jobs.start(phantom_dataset, quick, name) for name in ("one", "two", "three")]


def names():
    return [folder.name for folder in queue.queued_runs()]


def test_runs_wait_in_the_order_in_which_they_came(three):
    assert names() == ["one", "two", "three"]
    assert {read_status(run).state for run in three} == {"queued"}
    assert jobs.live_run() is None


def test_the_order_is_the_same_to_another_process(three, root):
    queue.move(three[2], -1)
    code = "from covidct.training.queue import queued_runs; print(*(f.name for f in queued_runs()))"
    fresh = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert fresh.stdout == "one three two\n"


@pytest.mark.parametrize(
    ("run", "places", "order"),
    [
        (0, 1, "two one three"),
        (2, -1, "one three two"),
        (2, -2, "three one two"),
        (0, -1, "one two three"),
        (2, 1, "one two three"),
        (1, 9, "one three two"),
    ],
)
def test_a_run_is_moved_among_those_that_wait(three, run, places, order):
    queue.move(three[run], places)
    assert names() == order.split()


def test_a_run_taken_out_waits_no_more_and_comes_last_when_it_is_resumed(three):
    jobs.stop(three[0])
    assert names() == ["two", "three"]
    assert read_status(three[0]).state == "stopped"
    for action in (queue.cancel, lambda run: queue.move(run, 1)):
        with pytest.raises(ConfigError, match="“one” does not wait"):
            action(three[0])
    jobs.resume(three[0])
    assert names() == ["two", "three", "one"]
    with pytest.raises(ConfigError, match="already"):
        jobs.resume(three[0])
    at_work = JobStatus("running", pid=os.getpid(), process_started=process_identity(os.getpid()))
    write_status(three[1], at_work)
    with pytest.raises(ConfigError, match="already"):  # as when two press at once
        queue.put(three[1])
    assert read_status(three[1]).state == "running"
    write_status(three[1], JobStatus("stopped"))


def test_a_run_that_waits_can_be_renamed_and_deleted(three):
    jobs.rename(three[1], "other")
    jobs.delete(three[0])
    assert names() == ["other", "three"]


def test_a_damaged_place_costs_the_place_and_not_the_run(three):
    (three[0] / "turn").write_bytes(b"\xff")
    (three[1] / "status.json").write_text("{")
    assert names() == ["three", "one"]
    queue.move(three[0], -1)
    assert names() == ["one", "three"]


def test_a_place_left_behind_queues_nothing(own_home, phantom_dataset, quick):
    folder = jobs.runs_dir() / "finished"
    start_run_folder(folder, phantom_dataset, quick)
    (folder / "turn").write_text("1\n")
    write_status(folder, JobStatus("finished"))
    queue.advance()
    assert names() == []
    assert read_status(folder).state == "finished"


def test_processes_that_queue_at_once_lose_no_run_and_share_no_place(busy, phantom_dataset, root):
    code = (
        "import sys; from pathlib import Path; from covidct.training import jobs;"
        "from covidct.training.config import TrainConfig;"
        "config = TrainConfig(image_size=64);"
        "[jobs.start(Path(sys.argv[1]), config, f'{sys.argv[2]} {n}') for n in range(3)]"
    )
    pages = [
        subprocess.Popen([sys.executable, "-c", code, phantom_dataset, name], cwd=root)
        for name in ("a", "b", "c")
    ]
    assert [page.wait() for page in pages] == [0, 0, 0]
    assert sorted(names()) == sorted(f"{name} {n}" for name in "abc" for n in range(3))
    places = [(folder / "turn").read_text() for folder in queue.queued_runs()]
    assert len(set(places)) == len(places)


@pytest.mark.train
def test_the_queue_goes_on_by_itself_whether_a_run_fails_or_is_killed(
    own_home, phantom_dataset, quick, until
):
    """No page and no server looks on: this process only waits."""
    killed = jobs.start(phantom_dataset, quick, "killed")
    failing = jobs.start(phantom_dataset, quick, "failing")
    (failing / "config.json").write_text("{}")
    last = jobs.start(phantom_dataset, quick, "last")
    assert names() == ["failing", "last"]
    assert jobs.live_run() == killed
    os.kill(until(killed, lambda status: status.pid).pid, signal.SIGKILL)
    while not (status := read_status(last)).pid:
        assert status.is_live or status.state == "queued"
        time.sleep(0.05)
    assert status.is_live
    assert read_status(killed).state == read_status(failing).state == "failed"
    assert "before it began" in read_status(failing).message
    assert names() == []
