"""Two servers of one home behind haproxy, with the file that is shipped for it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from app_server import REPOSITORY, Server, free_port, serve, wait_until_healthy

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Balanced:
    """Where the balancer listens, its process, and the servers behind it by their cookies."""

    url: str
    process: subprocess.Popen
    servers: dict[str, Server]


@contextmanager
def serve_balanced(folder: Path) -> Iterator[Balanced]:
    """Balancer and servers, which keep below `folder` whatever they write."""
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed")
    folders = {name: folder / name for name in ("one", "two")}
    for own in folders.values():
        own.mkdir()
    (folders["one"] / "home").mkdir()
    (folders["two"] / "home").symlink_to(folders["one"] / "home")
    with ExitStack() as running:
        servers = {name: running.enter_context(serve(own)) for name, own in folders.items()}
        places = {
            f"COVIDCT_SERVER_{name.upper()}": server.url.removeprefix("http://")
            for name, server in servers.items()
        }
        places["COVIDCT_BALANCER"] = f"{ADDRESS}:{free_port()}"
        log, url = folder / "haproxy.log", f"http://{places['COVIDCT_BALANCER']}"
        process = running.enter_context(_haproxy(log, places))
        wait_until_healthy(f"{url}/api/v1/health", process, log)
        yield Balanced(url, process, servers)


@contextmanager
def _haproxy(log: Path, places: dict[str, str]) -> Iterator[subprocess.Popen]:
    command = ["haproxy", "-db", "-f", str(REPOSITORY / "covidct" / "docs" / "haproxy.cfg")]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **places}, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
