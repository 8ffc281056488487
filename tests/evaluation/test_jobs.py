import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from covidct.errors import ConfigError, DatasetError
from covidct.evaluation import jobs, request
from covidct.evaluation.request import read_request
from covidct.evaluation.results import read_evaluation
from covidct.jobs.process import process_identity
from covidct.jobs.status import JobStatus, write_status


@pytest.fixture(autouse=True)
def _none_is_left(own_home):
    """A test that fails half-way leaves no evaluation behind."""
    yield
    while (folder := jobs.live_evaluation()) and (pid := jobs.read_status(folder).pid):
        os.kill(pid, signal.SIGKILL)


def wait(folder, wanted=lambda status: not status.is_live):
    while not wanted(status := jobs.read_status(folder)):
        assert status.is_live, (folder / "log.txt").read_text()
        time.sleep(0.02)
    return status


def test_none_begins_where_evaluations_take_all_that_they_may(
    own_home, tiny_model, phantom_dataset, monkeypatch
):
    monkeypatch.setenv("COVIDCT_EVALUATIONS_MB", "2")
    (own_home / "evaluations").mkdir(parents=True)
    ballast = own_home / "evaluations" / "ballast"
    ballast.write_bytes(bytes(2 * 1024**2))
    with pytest.raises(ConfigError, match=r"take 2 MB.*may take 2 MB.*COVIDCT_EVALUATIONS_MB"):
        jobs.start(tiny_model, phantom_dataset, "all")
    assert list(ballast.parent.iterdir()) == [ballast]
    ballast.write_bytes(bytes(2 * 1024**2 - 1))
    jobs.cancel(jobs.start(tiny_model, phantom_dataset, "all"))


def test_an_evaluation_lives_on_its_own_and_leaves_figures_predictions_and_audit(
    tiny_model, phantom_dataset, root
):
    folder = jobs.start(tiny_model, phantom_dataset, "all")
    assert jobs.live_evaluation() == folder
    with pytest.raises(ConfigError, match="only one evaluation"):
        jobs.start(tiny_model, phantom_dataset, "all")
    with pytest.raises(ConfigError, match="in progress"):
        jobs.delete(folder)
    code = "from covidct.evaluation.jobs import live_evaluation; print(live_evaluation().name)"
    fresh = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert fresh.stdout == f"{folder.name}\n"

    status = wait(folder, lambda status: status.batch > 0 and status.batches == 24)
    assert status.state == "running"
    status = wait(folder)
    assert status.state == "finished", (folder / "log.txt").read_text()
    assert jobs.list_evaluations() == (folder,)
    assert jobs.live_evaluation() is None

    review = read_evaluation(folder)
    assert len(review.slices) == review.figures["n"] == 24
    assert review.figures["model_id"].startswith("tiny@")
    assert {one.source for one in review.slices} == {"PNG"}
    assert all(one.decision and one.shape == (160, 160) for one in review.slices)
    assert json.loads((folder / "audit.json").read_text())["n"] == 24
    asked = read_request(folder)
    assert (asked.model, asked.data, asked.split) == (tiny_model, phantom_dataset, "all")

    out = io.BytesIO()
    jobs.zip_results(folder, out)
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == ["metrics.json", "predictions.csv", "audit.json"]
        rows = csv.DictReader(io.TextIOWrapper(archive.open("predictions.csv")))
        assert len(list(rows)) == 24
    jobs.delete(folder)
    assert jobs.list_evaluations() == ()
    assert not folder.exists()


def test_a_cancelled_one_ends_at_once_and_makes_room_for_the_next(tiny_model, phantom_dataset):
    folder = jobs.start(tiny_model, phantom_dataset, "all")
    status = wait(folder, lambda status: status.pid)
    jobs.cancel(folder)
    assert jobs.read_status(folder).state in ("stopping", "stopped")
    assert wait(folder).state == "stopped", (folder / "log.txt").read_text()
    assert not jobs.has_results(folder)
    with pytest.raises(ConfigError, match="not in progress"):
        jobs.cancel(folder)

    second = jobs.start(tiny_model, phantom_dataset, "all")
    assert process_identity(status.pid) is None
    killed = wait(second, lambda status: status.pid)
    os.kill(killed.pid, signal.SIGKILL)
    status = wait(second)
    assert status.state == "interrupted"
    assert "killed" in status.message
    assert jobs.list_evaluations() == (second, folder)


def test_one_of_another_host_is_asked_to_end_and_no_process_of_this_one_is(own_home):
    folder = own_home / "evaluations" / "far away"
    folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as bystander:
        status = JobStatus("running", pid=bystander.pid, host="far-away", process_space="another")
        write_status(folder, status)
        jobs.cancel(folder)
        assert jobs.read_status(folder).state == "stopping"
        with pytest.raises(subprocess.TimeoutExpired):
            bystander.wait(0.2)
        bystander.kill()
    write_status(folder, JobStatus("stopped"))


def test_data_that_cannot_be_evaluated_fail_in_words(tiny_model, phantom_dataset):
    folder = jobs.start(tiny_model, phantom_dataset, "test")
    status = wait(folder)
    assert status.state == "failed"
    assert "no “test” list" in status.message


def test_what_is_no_evaluation_is_not_deleted(own_home):
    folder = own_home / "evaluations" / "precious"
    folder.mkdir(parents=True)
    with pytest.raises(ConfigError, match="no evaluation"):
        jobs.delete(folder)
    assert folder.is_dir()
    assert jobs.list_evaluations() == ()


def test_shipped_results_are_finished_and_know_their_model(monkeypatch, tmp_path, own_home):
    for module in (jobs, request):
        monkeypatch.setattr(module, "SHIPPED_DIR", tmp_path)
    folder = tmp_path / "some-model" / "evaluation"
    folder.mkdir(parents=True)
    assert jobs.shipped_evaluations() == ()
    (folder / "metrics.json").write_text('{"data": "COVID-CT", "split": "val"}')
    assert jobs.shipped_evaluations() == (folder,)
    assert jobs.read_status(folder).state == "finished"
    asked = read_request(folder)
    assert (asked.model, asked.split) == (folder.parent, "val")
    assert asked.data == own_home / "data" / "COVID-CT"
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(DatasetError):
        read_request(folder)
