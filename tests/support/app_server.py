"""The app in a process of its own, for whoever visits it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import patience
import pytest

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Server:
    """A running app: where it listens, where its output goes, its process."""

    url: str
    log: Path
    process: subprocess.Popen


@contextmanager
def serve(
    folder: Path,
    secrets: Callable[[str], str] | None = None,
    largest_file: int | None = None,
    script: str | Path = "app.py",
) -> Iterator[Server]:
    """The app in a process of its own, which keeps below `folder` whatever it writes.

    Args:
        folder: for its log, homes and temporary files.
        secrets: gives the text of Streamlit's secrets for a server at an address.
        largest_file: bytes that it may write to one file.
        script: what Streamlit runs.
    """
    port = free_port()
    log = folder / "server.log"
    limit = ["prlimit", f"--fsize={largest_file}"] if largest_file else []
    command = [*limit, sys.executable, "-m", "streamlit", "run", str(script)]
    options = ["--server.port", str(port), "--server.headless", "true"]
    if secrets:
        (folder / "secrets.toml").write_text(secrets(f"http://localhost:{port}"))
        options += ["--secrets.files", str(folder / "secrets.toml")]
    environment = {
        **os.environ,
        "COVIDCT_HOME": str(folder / "home"),
        "COVIDCT_DATA_FOLDERS": str(folder.parent),
    }
    for variable, name in (("HOME", "user"), ("TMPDIR", "temporary")):
        (folder / name).mkdir(exist_ok=True)
        environment[variable] = str(folder / name)
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, *options], cwd=REPOSITORY, env=environment, stdout=output, stderr=output
        )
        try:
            wait_until_healthy(f"http://localhost:{port}/_stcore/health", process, log)
            yield Server(f"http://localhost:{port}", log, process)
        finally:
            process.terminate()
            try:
                process.wait(patience.SECONDS)
            finally:
                process.kill()
                process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


def wait_until_healthy(url: str, process: subprocess.Popen, log: Path) -> None:
    """Wait until a process answers at an address."""
    # urlopen keeps the proxy of its first call, which may have been that of a test
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + patience.SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with directly.open(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")
