"""What is pulled from under a server or a training, and that nothing is lost by it."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import pytest
import requests

from covidct.evaluation import jobs as evaluations
from covidct.files import sha256_of
from covidct.imaging.phantom import phantom_slice
from covidct.inference.promotion import current_model, history, promote
from covidct.inference.store import open_model
from covidct.jobs.process import process_identity
from covidct.jobs.status import LOG_FILE, JobStatus, last_word, why_it_failed
from covidct.training import jobs
from covidct.training.progress import read_status
from covidct.training.run_folder import read_metrics
from covidct.ui.streamlit_internals import xsrf_header

pytestmark = pytest.mark.endurance

CSV = "Results, CSV"
MOMENTS = {
    "launched": lambda run, said: said.state == "starting",
    "starting": lambda run, said: said.message == "Starting.",
    "reading slices": lambda run, said: said.message == "Reading and cropping slices.",
    "building the network": lambda run, said: said.message == "Building the network.",
    "solving the head": lambda run, said: said.message == "Extracting features, view.",
    "in an epoch": lambda run, said: said.state == "running" and said.batch > 0,
    "between epochs": lambda run, said: said.epoch == 1,
    "keeping the model": lambda run, said: said.message.startswith("Keeping"),
    "before its card": lambda run, said: (run / "model.keras").exists(),
}


@pytest.fixture
def png() -> bytes:
    return cv2.imencode(".png", phantom_slice(1, 3, size=256).ct_slice.pixels)[1].tobytes()


@pytest.fixture
def home(tmp_path, monkeypatch) -> Iterator[Path]:
    """The home of the servers that are started in ``tmp_path``."""
    monkeypatch.setenv("COVIDCT_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    end_all_work()


@pytest.fixture
def small_home(small_disk, monkeypatch) -> Iterator[tuple[Path, Callable]]:
    """A home on a disk with room for one model, and what makes that disk larger."""
    disk, enlarge = small_disk
    enlarge(32)
    monkeypatch.setenv("COVIDCT_HOME", str(disk))
    yield small_disk
    end_all_work()


def end_all_work() -> None:
    for folder in (*jobs.list_runs(), *evaluations.list_evaluations()):
        pid = last_word(folder).pid
        if pid and process_identity(pid):
            os.kill(pid, signal.SIGKILL)
            until_gone(pid)


def is_under_way(status: JobStatus) -> bool:
    """A run may wait for the process of the one before it to close down."""
    return status.is_live or status.state == "queued"


def until_gone(pid: int) -> None:
    while process_identity(pid):
        time.sleep(0.01)


def verdict(tab, data) -> str:
    """The line of the table for one slice, told by the page."""
    for _ in tab.drop("slice.png", data):
        pass
    assert 'class="cv-decision"' in tab.html()
    return tab.fetch(tab.press_download(CSV)).decode().splitlines()[1]


def contents(folder: Path) -> dict[str, str]:
    """The files in a folder and their hashes."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): sha256_of(file) for file in files}


def fill(disk: Path) -> Path:
    """A file that leaves no room on a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return ballast


def until_over(folder, read):
    while is_under_way(status := read(folder)):
        time.sleep(0.1)
    return status


def series_of(count: int) -> bytes:
    """A ZIP of small slices."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for seed in range(count):
            pixels = phantom_slice(seed, 2, size=96).ct_slice.pixels
            out.writestr(f"{seed}.png", cv2.imencode(".png", pixels)[1].tobytes())
    return archive.getvalue()


def begin_upload(tab, name, data) -> socket.socket:
    """Send the first half of a file."""
    place, address = tab.upload_place(name), urlsplit(tab.url)
    request = requests.Request(
        "PUT",
        tab.url + place.upload_url,
        files={"file": (name, data)},
        headers=xsrf_header(tab.http),
    )
    prepared = tab.http.prepare_request(request)
    lines = [f"PUT {prepared.path_url} HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{header}: {value}" for header, value in prepared.headers.items()]
    connection = socket.create_connection((address.hostname, address.port))
    head = "\r\n".join([*lines, "", ""]).encode()
    connection.sendall(head + prepared.body[: len(prepared.body) // 2])
    return connection


def test_a_server_killed_in_any_state_starts_again_with_the_same_verdict(
    serve, visit, home, tiny_model, png, tmp_path, record_property
):
    promote(tiny_model)
    kept = contents(home)

    with serve(tmp_path) as server:
        while "litert" not in Path(f"/proc/{server.process.pid}/maps").read_text():
            time.sleep(0.05)
        server.process.kill()

    with serve(tmp_path) as server:
        tab = visit(server.url)
        first = verdict(tab, png)
        drawn = tab.drop("series.zip", series_of(40))
        next(element for element in drawn if element.progress.text.startswith("Reading slice"))
        server.process.kill()

    with serve(tmp_path) as server:
        tab = visit(server.url)
        second = verdict(tab, png)
        with begin_upload(tab, "slice.png", png):
            server.process.kill()

    with serve(tmp_path) as server:
        third = verdict(visit(server.url), png)
    assert first == second == third
    assert contents(home) == kept
    record_property("figure", "server killed while loading, judging, receiving: 3 faults survived")


def test_an_upload_that_breaks_off_disturbs_nobody(
    serve, visit, home, tiny_model, png, tmp_path, record_property
):
    promote(tiny_model)
    with serve(tmp_path) as server:
        tab = visit(server.url)
        for size in (len(png), 3 * 2**20):
            begin_upload(tab, "secret-patient.png", png.ljust(size, b"\0")).close()
        assert verdict(tab, png) == verdict(visit(server.url), png)
        assert "secret-patient" not in server.log.read_text()
    record_property("figure", "uploads broken off: 2 faults survived")


def test_a_training_killed_in_any_state_goes_on_and_the_model_in_use_is_untouched(
    home, tiny_model, phantom_dataset, quick, record_property
):
    promote(tiny_model)
    in_use, kept = current_model(), contents(current_model())
    run, rows = jobs.start(phantom_dataset, quick, "run"), []
    for moment, reached in MOMENTS.items():
        while not reached(run, said := read_status(run)):
            assert is_under_way(said), f"{moment}: {said.message} {(run / LOG_FILE).read_text()}"
            time.sleep(0.002)
        kill_process_of(run)
        while read_status(run).is_live:  # it had not said its number: who attends it says so
            time.sleep(0.01)
        assert "untouched" in read_status(run).message or moment == "launched"
        now = read_metrics(run)
        assert now[: len(rows)] == rows, moment
        rows = now
        jobs.resume(run)
    assert until_over(run, read_status).state == "finished", (run / LOG_FILE).read_text()
    assert [row["epoch"] for row in read_metrics(run)] == [0, 1, 2]
    open_model(run)
    assert (current_model(), contents(current_model())) == (in_use, kept)
    record_property("figure", f"training killed {', '.join(MOMENTS)}: {len(MOMENTS)} survived")


def kill_process_of(run: Path) -> None:
    """``kill -9``, also where it has not said its number yet."""
    find = ["pgrep", "-f", f"^[^ ]+ -m covidct train --run {run} "]
    while not (found := subprocess.run(find, capture_output=True, text=True).stdout.split()):
        assert is_under_way(read_status(run))
    for pid in map(int, found):
        os.kill(pid, signal.SIGKILL)
        until_gone(pid)


def test_a_full_disk_is_named_and_takes_nothing_with_it(
    small_home, tiny_model, phantom_dataset, quick, record_property
):
    disk, enlarge = small_home
    promote(tiny_model)
    in_use, kept = current_model(), contents(current_model())
    other = other_model(tiny_model, disk.parent)

    ballast = fill(disk)
    for work in (
        lambda: promote(other),
        lambda: jobs.start(phantom_dataset, quick, "run"),
        lambda: evaluations.start(in_use, phantom_dataset, "all"),
    ):
        with pytest.raises(OSError, match="No space left") as refused:
            work()
        assert why_it_failed(refused.value).startswith("The disk is full.")
    assert (jobs.list_runs(), evaluations.list_evaluations()) == ((), ())
    assert (current_model(), contents(current_model())) == (in_use, kept)

    ballast.unlink()
    folder = evaluations.start(in_use, phantom_dataset, "all")
    while evaluations.read_status(folder).message != "Evaluating":
        time.sleep(0.01)
    fill(disk)
    status = until_over(folder, evaluations.read_status)
    assert (status.state, status.message) == ("failed", why_it_failed(refused.value))

    ballast.unlink()
    enlarge()
    run = jobs.start(phantom_dataset, quick, "run")
    promote(other)
    assert len(history()) == 2
    assert until_over(run, read_status).state == "finished", (run / LOG_FILE).read_text()
    record_property("figure", "disk full at promotion, both starts, in an evaluation: 4 survived")


def other_model(model: Path, to: Path) -> Path:
    """The same network under another name and hash of its file."""
    folder = shutil.copytree(model, to / "other")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"name": "other"}))
    return folder


def test_weights_that_are_read_only_serve_as_well(home, png, tmp_path, root, record_property):
    (tmp_path / "slice.png").write_bytes(png)
    script = (
        "mount --bind weights weights && mount -o remount,bind,ro weights || exit 77; "
        'touch weights/x && exit 78; exec "$0" -m covidct classify "$1" --json'
    )
    command = ["unshare", "--mount", "sh", "-c", script, sys.executable, tmp_path / "slice.png"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode in (1, 77) and not done.stdout:
        pytest.skip(f"mounting is not permitted here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] in ("Positive", "Negative")
    record_property("figure", "weights read-only: 1 fault survived")
