import io
import subprocess
import sys
import time
import zipfile
from dataclasses import replace

import pytest

from covidct.errors import ConfigError
from covidct.inference.card import read_card
from covidct.inference.classifier import Classifier
from covidct.jobs.process import process_identity
from covidct.jobs.status import JobStatus, write_status
from covidct.training import jobs
from covidct.training.progress import read_status
from covidct.training.run_folder import read_metrics, start_run_folder

LONG = 500  # epochs that no test waits for


@pytest.fixture
def idle(own_home, phantom_dataset, quick):
    """The folder of a run that is not at work."""
    folder = jobs.runs_dir() / "idle"
    start_run_folder(folder, phantom_dataset, quick)
    return folder


def wait_until_over(folder):
    """A run that waits for the process before it to close down has not begun yet."""
    while (status := read_status(folder)).is_live or status.state == "queued":
        time.sleep(0.05)
    return status


def test_a_run_that_is_just_starting_is_refused_as_such(idle):
    write_status(idle, JobStatus("starting"))
    with pytest.raises(ConfigError, match="“idle” is starting already"), jobs.turn(idle):
        pass


@pytest.mark.train
def test_a_run_lives_on_its_own_is_stopped_resumed_and_finishes(
    own_home, phantom_dataset, quick, until, root, phantoms
):
    config = replace(quick, epochs=LONG, probe_views=0)
    folder = jobs.start(phantom_dataset, config, "first", ["CT_COVID/a.png"])
    assert jobs.live_run() == folder

    for refused in (jobs.resume, jobs.delete, lambda run: jobs.rename(run, "other")):
        with pytest.raises(ConfigError, match="“first”"):
            refused(folder)

    until(folder, lambda status: status.epoch >= 1 and status.batch >= 1)
    code = "from covidct.training.jobs import live_run; print(live_run().name)"
    fresh = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert fresh.stdout == "first\n"

    jobs.stop(folder)
    status = wait_until_over(folder)
    assert status.state == "stopped", (folder / "log.txt").read_text()
    rows = read_metrics(folder)
    assert 1 <= len(rows) == status.epoch < LONG
    assert f"{status.epoch} of {LONG} epochs are kept" in status.message
    card = read_card(folder)
    assert sum(part["COVID"] for part in card.about["slices"].values()) == 12 - 1
    assert card.about["epochs_run"] == len(rows)
    assert Classifier.load(folder).classify(phantoms[0].ct_slice).label in ("Positive", "Negative")
    assert "roc_auc" in card.about["validation"]
    assert jobs.live_run() is None

    settings = (folder / "config.json").read_text()
    planned = len(rows) + 2
    (folder / "config.json").write_text(settings.replace(str(LONG), str(planned)))
    jobs.resume(folder)
    assert wait_until_over(folder).state == "finished", (folder / "log.txt").read_text()
    resumed = read_metrics(folder)
    assert [row["epoch"] for row in resumed] == list(range(planned))
    assert resumed[: len(rows)] == rows
    with pytest.raises(ConfigError, match="finished"):
        jobs.resume(folder)


@pytest.mark.train
def test_a_killed_run_is_collected_and_makes_room_for_the_next(
    own_home, phantom_dataset, quick, until
):
    folder = jobs.start(phantom_dataset, quick)
    status = until(folder, lambda status: status.pid)
    subprocess.run(["kill", "-9", str(status.pid)], check=True)
    assert wait_until_over(folder).state == "failed"
    assert process_identity(status.pid) is None
    second = jobs.start(phantom_dataset, quick, "second")
    until(second, lambda status: status.is_live)
    assert jobs.live_run() == second
    jobs.stop(second)
    assert "No epoch had ended" in wait_until_over(second).message
    assert jobs.list_runs() == (second, folder)


@pytest.mark.train
def test_a_terminal_may_not_train_among_the_runs_while_one_is_live(
    own_home, phantom_dataset, quick, until, root
):
    folder = jobs.start(phantom_dataset, replace(quick, epochs=LONG), "first")
    train = [sys.executable, "-m", "covidct", "train", "--run"]
    new = [*train, jobs.runs_dir() / "second", "--data", phantom_dataset]
    for command in (new, [*train, folder, "--resume"]):
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        assert done.returncode == 1
        assert "“first”" in done.stderr
    subprocess.run([*train, folder, "--stop"], cwd=root, check=True)
    assert wait_until_over(folder).state == "stopped"


def test_a_run_that_is_not_live_cannot_be_stopped(idle):
    with pytest.raises(ConfigError, match="not running"):
        jobs.stop(idle)


def test_a_run_is_renamed_found_and_deleted(idle):
    renamed = jobs.rename(idle, "Würzburg (2)")
    assert jobs.find_run("Würzburg (2)") == renamed
    jobs.delete(renamed)
    assert jobs.list_runs() == ()
    assert not [path for path in jobs.runs_dir().iterdir() if path.is_dir()]
    with pytest.raises(ConfigError, match="no run"):
        jobs.find_run("idle")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "-x", "a\n", "x" * 81, "dot.", "\0"])
def test_names_that_are_no_plain_folder_names_are_refused(idle, name):
    with pytest.raises(ConfigError, match="name"):
        jobs.rename(idle, name)


def test_a_name_that_is_taken_is_refused(idle):
    with pytest.raises(ConfigError, match="already"):
        jobs.rename(idle, "idle")


def test_a_folder_that_is_no_run_is_not_deleted(own_home):
    folder = jobs.runs_dir() / "precious"
    folder.mkdir(parents=True)
    with pytest.raises(ConfigError, match="no run"):
        jobs.delete(folder)
    assert folder.is_dir()


def test_a_download_holds_the_run_without_its_backup(idle):
    (idle / "backup").mkdir()
    (idle / "backup" / "state").write_text("large")
    (idle / "metrics.csv").write_text("epoch\n")
    out = io.BytesIO()
    jobs.zip_run(idle, out)
    assert zipfile.ZipFile(out).namelist() == ["idle/config.json", "idle/metrics.csv"]
