"""A running server, what memory it holds, and who visits it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.home import CALLER, HOME_VARIABLE
from covidct.inference.promotion import DEFAULT_MODEL, SHIPPED_DIR
from covidct.inference.store import find_model

_PROMOTE = (
    "import pathlib, sys; from covidct.inference.promotion import promote; "
    "promote(pathlib.Path(sys.argv[1]))"
)
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
def serve(port: int, model: str | None = None) -> Iterator[Server]:
    """Start the app, with a home of its own; end it afterwards.

    Args:
        port: where it listens.
        model: its name or folder; None is the one in use here.

    Raises:
        ModelError: there is no such model.
    """
    folder = find_model(model)
    with TemporaryDirectory() as home:
        environment = {**os.environ, HOME_VARIABLE: home}
        if folder != SHIPPED_DIR / DEFAULT_MODEL:
            promote = [sys.executable, "-c", _PROMOTE, str(folder.resolve())]
            subprocess.run(promote, cwd=CALLER, env=environment, check=True)
        command = [sys.executable, "-m", "covidct", "app", "--server.headless", "true"]
        process = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=CALLER,
            env=environment,
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
            [sys.executable, "-m", "covidct.benchmark.visitor", f"http://localhost:{port}"],
            cwd=CALLER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=_WAIT)  # ends standard input, and with it the visits

    def upload(self, *files: Path, sessions: int = 1) -> dict[str, float]:
        """Upload a file in several new sessions at once; in those that are open for 0.

        Args:
            files: which the sessions take in turn, one each.
            sessions: how many.

        Returns:
            "page", when all saw the page, "drop", when they dropped their file, and "verdict",
            when all had one; as :func:`time.time` tells the time.
        """
        line = json.dumps([sessions, *map(str, files)])
        print(line, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None  # it is a pipe
        return json.loads(self._process.stdout.readline())
