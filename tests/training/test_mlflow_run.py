"""What MLflow is told of runs, by its own client to a server that speaks its REST interface."""

import math
import os
import signal
import socket
import sys
import time
from dataclasses import replace

import pytest
import two_convolutions
from forked import start_python
from mlflow_server import serve_mlflow

from covidct.errors import TrainingStopped
from covidct.inference.card import read_card
from covidct.jobs.status import JobStatus, write_status
from covidct.training import jobs
from covidct.training.mlflow_run import tell_mlflow
from covidct.training.progress import recorded_run
from covidct.training.run_folder import append_metrics, read_metrics, start_run_folder

TRAIN = f"""{two_convolutions.REGISTER}
import sys
from covidct.__main__ import main
for run in sys.argv[1:]:
    main(["train", "--run", run, "--resume"])
"""


@pytest.fixture
def tracked(monkeypatch):
    """What came to the server that the environment names."""
    with serve_mlflow() as tracked:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", tracked.address)
        yield tracked


@pytest.fixture
def run(phantom_dataset, quick, tmp_path):
    folder = tmp_path / "my run"
    start_run_folder(folder, phantom_dataset, quick, ["CT_COVID/left out.png"])
    return folder


def add_epoch(run):
    """An epoch is done and kept."""
    epoch = len(read_metrics(run))
    append_metrics(run, {"epoch": epoch, "loss": 1 / (epoch + 2), "val_auc": 0.5 + epoch / 8})
    (run / "backup" / f"epoch-{epoch + 1:04d}").mkdir(parents=True)
    tell_mlflow(run)


def only(tracked):
    assert len(tracked.runs) == 1, tracked.came
    return tracked.runs["0"]


@pytest.mark.train
def test_runs_are_told_with_settings_figures_and_end_and_nothing_of_slices(
    tracked, phantom_dataset, tiny, tmp_path
):
    kinds = {
        "tuned": replace(tiny, epochs=2, probe_views=0),
        "solved": replace(tiny, epochs=0, probe_views=1),
    }
    log = tmp_path / "log.txt"
    for name, config in kinds.items():
        start_run_folder(tmp_path / name, phantom_dataset, config, ["CT_COVID/a.png"])
    start_python(TRAIN, [tmp_path / name for name in kinds], log, log).join()
    assert tracked.experiments == ["covidct"]
    told_runs = {run["run_name"]: run for run in tracked.runs.values()}
    assert told_runs.keys() == kinds.keys(), log.read_text()
    for name, told in told_runs.items():
        assert told["status"] == "FINISHED"
        settings = kinds[name].as_flat_dict().items()
        assert told["params"] == {setting: str(value) for setting, value in settings}
        rows = read_metrics(tmp_path / name)
        for figure in rows[0].keys() - {"epoch"}:
            assert dict(told["metrics"].pop(figure)) == {
                n: row[figure] for n, row in enumerate(rows)
            }
        judged = read_card(tmp_path / name).about["validation"]
        assert {"validation/roc_auc", "validation/sensitivity"} < told["metrics"].keys()
        for figure, drawn in told["metrics"].items():
            assert drawn == [(len(rows), judged[figure.removeprefix("validation/")])]
    for mark in (".png", "CT_COVID", str(tmp_path), str(phantom_dataset)):
        assert mark not in "".join(tracked.came)
    assert "MLflow" not in log.read_text()


def test_a_resumed_run_goes_on_in_the_same_run_of_mlflow(tracked, run):
    with pytest.raises(TrainingStopped), recorded_run(run):
        assert only(tracked)["status"] == "RUNNING"
        add_epoch(run)
        raise TrainingStopped("Stopped.")
    assert only(tracked)["status"] == "KILLED"
    with pytest.raises(ZeroDivisionError), recorded_run(run):
        assert only(tracked)["status"] == "RUNNING"
        add_epoch(run)
        raise ZeroDivisionError
    assert only(tracked)["status"] == "FAILED"
    with recorded_run(run):
        add_epoch(run)
    assert only(tracked)["status"] == "FINISHED"
    assert only(tracked)["metrics"]["val_auc"] == [(0, 0.5), (1, 0.625), (2, 0.75)]


@pytest.mark.train
def test_a_run_of_the_queue_that_is_killed_does_not_go_on_for_mlflow(
    own_home, tracked, phantom_dataset, quick, until
):
    folder = jobs.start(phantom_dataset, quick, "killed")
    pid = until(folder, lambda _: any(told["params"] for told in tracked.runs.values())).pid
    os.kill(pid, signal.SIGKILL)
    while only(tracked)["status"] == "RUNNING":
        time.sleep(0.05)
    assert only(tracked)["status"] == "FAILED"


def test_another_experiment_is_named_as_mlflow_names_it(tracked, run, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "ours")
    write_status(run, JobStatus("starting"))
    tell_mlflow(run)
    assert tracked.experiments == ["ours"]


def test_what_a_server_missed_is_told_when_the_run_ends(tracked, run, capsys):
    with recorded_run(run):
        add_epoch(run)
        tracked.status = 503
        add_epoch(run)
        before = len(tracked.came)
        add_epoch(run)
        assert len(tracked.came) == before
        tracked.status = 200
    assert only(tracked)["status"] == "FINISHED"
    assert [step for step, _ in only(tracked)["metrics"]["loss"]] == [0, 1, 2]
    assert capsys.readouterr().out.count("MLflow") == 1


def test_an_epoch_with_a_figure_that_is_no_number_is_told_once(tracked, run):
    with recorded_run(run):
        append_metrics(run, {"epoch": 0, "loss": 0.5, "val_loss": math.nan, "val_auc": 0.5})
        for _ in range(3):
            tell_mlflow(run)
    assert only(tracked)["metrics"]["loss"] == [(0, 0.5)]


def test_a_server_that_does_not_answer_is_asked_twice_in_a_run(run, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://secret:word@127.0.0.1:{mute.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        with recorded_run(run):
            for _ in range(3):
                add_epoch(run)
        mute.setblocking(False)
        connections = [mute.accept()[0] for _ in range(2)]
        with pytest.raises(BlockingIOError):
            mute.accept()
        for connection in connections:
            connection.close()
    said = capsys.readouterr()
    assert said.out == "MLflow is told no more of this run until it has ended: ConnectionError.\n"
    assert said.err == ""


@pytest.mark.parametrize("address", ["http://secret:word@127.0.0.1:9", "secret://", "http://["])
def test_an_address_that_cannot_be_reached_ends_nothing(run, monkeypatch, capsys, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with recorded_run(run):
        add_epoch(run)
    said = capsys.readouterr()
    assert said.out.count("MLflow is told no more of this run") == 1
    assert "secret" not in said.out + said.err


def test_without_mlflow_a_run_says_that_it_is_not_installed(tracked, run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with recorded_run(run):
        add_epoch(run)
    assert "mlflow is not installed" in capsys.readouterr().out
    assert not tracked.came


def test_nothing_of_it_is_imported_or_said_where_no_server_is_named(run, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with recorded_run(run):
        add_epoch(run)
    assert capsys.readouterr().out == ""
    assert not (run / "mlflow.json").exists()
