"""The command that is a node, in a process of its own, beside dcmtk's senders."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import patience
import pytest
from app_server import free_port

DCMTK = ("storescu", "echoscu")
LARGEST_FILE = 20_000  # bytes, fewer than a slice has


@dataclass
class Command:
    """The command at work.

    Attributes:
        port: that it listens on.
        folder: where it may write.
        process: its process.
    """

    port: int
    folder: Path
    process: subprocess.Popen

    def __call__(self, program, *arguments, title="SENDER"):
        """The exit status of one of dcmtk's programs."""
        command = [program, "-aet", title, "-aec", "COVIDCT", "127.0.0.1", self.port, *arguments]
        return subprocess.run(list(map(str, command)), capture_output=True).returncode

    def lines(self, count):
        """What it printed, once that is so many lines."""
        deadline = time.monotonic() + patience.SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            lines = (self.folder / "out").read_text().splitlines()
            if len(lines) >= count:
                return lines
            time.sleep(0.1)
        return pytest.fail((self.folder / "err").read_text())


@pytest.fixture(scope="module")
def command(tmp_path_factory, root):
    """Starts the command, which can write no file that is as large as a slice."""
    if not all(map(shutil.which, DCMTK)):
        pytest.skip("dcmtk is not installed: apt-get install dcmtk")

    @contextmanager
    def start(*options):
        folder, port = tmp_path_factory.mktemp("node"), free_port()
        given = ["--port", port, "--peer", "SENDER=127.0.0.1", "--quiet", 2, *options]
        # Where tests run in the background they would pass on that SIGINT is ignored
        limit = ["env", "--default-signal=INT", "prlimit", f"--fsize={LARGEST_FILE}"]
        places = dict.fromkeys(("HOME", "TMPDIR", "COVIDCT_HOME"), str(folder))
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            process = subprocess.Popen(
                [*limit, sys.executable, "-m", "covidct", "receive", *map(str, given)],
                cwd=folder,
                env={**os.environ, **places, "PYTHONPATH": str(root)},
                stdout=out,
                stderr=err,
            )
        try:
            command = Command(port, folder, process)
            deadline = time.monotonic() + patience.SECONDS
            while command("echoscu") and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.1)
            yield command
        finally:
            process.kill()
            process.wait()

    return start


@pytest.fixture
def files(stored, tmp_path):
    """Writes a series; its files."""

    def write(series, slices=7, **given):
        folder = tmp_path / series
        folder.mkdir()
        for number, data in enumerate(stored(series, slices, **given)):
            (folder / f"{number}.dcm").write_bytes(data)
        return sorted(folder.iterdir())

    return write


def test_each_series_gets_the_line_that_classify_gives_it(command, files, root):
    one, other = files("1.2.905.1"), files("1.2.906.2", 5)
    with command("--json") as node:
        assert node("echoscu") == 0
        assert node("storescu", *one) == 0
        assert node("echoscu", title="OTHER") != 0
        assert node("storescu", *other, title="OTHER") != 0
        (first,) = map(json.loads, node.lines(1))
        assert node("storescu", *other) == 0
        second = json.loads(node.lines(2)[1])
        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(patience.SECONDS) == 0
    assert (first["series"], second["series"]) == (1, 2)
    for line, paths in ((first, one), (second, other)):
        assert {**line, "series": ""} == {**classified(root, paths), "series": ""}
    written = {file for file in node.folder.rglob("*") if file.is_file()}
    assert written == {node.folder / "out", node.folder / "err"}
    told = b"".join(file.read_bytes() for file in written)
    assert b"refused" in told
    for secret in (b"Secret", b"patient", b"1.2.90", b"OTHER"):
        assert secret not in told


def classified(root, paths):
    """The line of the series by the command that classifies files."""
    command = [sys.executable, "-m", "covidct", "classify", "--json", str(paths[0].parent)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    (line,) = (line for line in map(json.loads, done.stdout.splitlines()) if "series" in line)
    return line


def test_a_person_is_told_on_one_line_each(command, files, neck):
    with command("--uid") as node:
        assert node("storescu", "--abort", *files("1.2.907.3", 3)) == 0
        listening, model, verdict = node.lines(3)
        assert node("storescu", *files("1.2.908.4", 1, values=[neck])) == 0
        refused = node.lines(4)[3]
        node.process.send_signal(signal.SIGINT)
        assert node.process.wait(patience.SECONDS) == 0
    assert listening == f"Listening on port {node.port} of 127.0.0.1 as COVIDCT."
    assert "Research use only" in model
    assert "Series 1, 1.2.907.3.1.1, by 3 slices with lungs" in verdict
    assert "The connection broke off" in verdict
    assert refused.startswith("Refused") and "Series 2, 1.2.908.4.1.1: " in refused


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--peer"),
        (("--peer", "PACS"), "A peer is named as AET=HOST"),
        (("--peer", "A" * 17 + "=localhost"), "A peer is named as AET=HOST"),
        (("--peer", "PACS=localhost", "--aet", "a\\b"), "An AE title has 1 to 16 characters"),
        (("--peer", "PACS=localhost", "--port", "0"), "from 1 to 65535"),
        (("--peer", "PACS=localhost", "--what", "sc"), "name both the peer"),
        (("--peer", "PACS=localhost", "--what", "pdf", "--send-to", "PACS"), "called pdf"),
        (("--peer", "PACS=localhost", "--what", "sc", "--send-to", "PACS"), "with its port"),
    ],
)
def test_wrong_usage_is_said(run, options, said):
    done = run("receive", *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_port_that_is_taken_is_said(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("receive", "--peer", "PACS=localhost", "--port", port)
    assert done.returncode == 1
    assert f"cannot listen on port {port} of 127.0.0.1" in done.stderr


def test_a_peer_without_an_address_is_said(run):
    done = run("receive", "--peer", "PACS=no-such-host.invalid")
    assert done.returncode == 1
    assert "The host of the peer PACS has no address." in done.stderr
