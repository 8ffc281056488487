"""A running server: how soon its first page and verdict are there, and what memory it holds."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[3]
_WAIT = 30  # seconds for a process to end


@dataclass(frozen=True, slots=True)
class Server:
    """The app in a process of its own.

    Attributes:
        url: where it listens.
        process: its process.
        started: seconds of the clock that :func:`time.time` reads.
    """

    url: str
    process: subprocess.Popen
    started: float

    @property
    def resident_mb(self) -> float:
        """Resident memory, in 10^6 bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024 / 1e6


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


@contextmanager
def serve(port: int) -> Iterator[Server]:
    """Start the app, with a home of its own; end it afterwards."""
    with TemporaryDirectory() as home:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
        process = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, "COVIDCT_HOME": home},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield Server(f"http://localhost:{port}", process, time.time())
        finally:
            process.terminate()
            process.wait(_WAIT)


class Visitor:
    """A process that visits a server as a browser does; started first, it costs no time later."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "covidct.ui.visitor", f"http://localhost:{port}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(_WAIT)

    def upload(self, file: Path, sessions: int = 1) -> dict[str, float]:
        """Upload a file in several new sessions at once; in those that are open for 0.

        Returns:
            "page", when all saw the page, and "verdict", when all had one; as
            :func:`time.time` tells the time.
        """
        print(json.dumps([sessions, str(file)]), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, float]:
        return json.loads(self._process.stdout.readline())


def python(arguments: Sequence[str]) -> None:
    """Run a Python process to its end."""
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
