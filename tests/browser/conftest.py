"""A real server, a real Chromium, and slices to drop into it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from covidct.imaging.phantom import phantom_slice
from covidct.ui.texts import ACCEPT

REPOSITORY = Path(__file__).parents[2]
COVID_CT = REPOSITORY.parent / "shared" / "data" / "COVID-CT" / "Images-processed"
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
READY_SECONDS = 120  # for a busy machine


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-screenshots",
        action="store_true",
        help="write the README's screenshot to covidct/ui/assets/",
    )


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
) -> Iterator[Server]:
    """The app in a process of its own, which keeps below `folder` whatever it writes.

    Args:
        folder: for its log, homes and temporary files.
        secrets: gives the text of Streamlit's secrets for a server at an address.
        largest_file: bytes that it may write to one file.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    log = folder / "server.log"
    limit = ["prlimit", f"--fsize={largest_file}"] if largest_file else []
    command = [*limit, sys.executable, "-m", "streamlit", "run", "app.py"]
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
            _wait_until_healthy(f"http://localhost:{port}/_stcore/health", process, log)
            yield Server(f"http://localhost:{port}", log, process)
        finally:
            process.terminate()
            process.wait(READY_SECONDS)


def _wait_until_healthy(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture
def start_server(tmp_path: Path) -> Callable[..., AbstractContextManager[Server]]:
    """Starts the app again and again, in the same home, which is ``tmp_path / "home"``."""
    return partial(serve, tmp_path)


@pytest.fixture(scope="session")
def run_app() -> Callable[..., AbstractContextManager[Server]]:
    """Starts the app in a folder, with Streamlit's secrets if they are given."""
    return serve


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    """Waits until a process answers at an address."""
    return _wait_until_healthy


@pytest.fixture
def cold_server(tmp_path: Path) -> Iterator[Server]:
    """A server that nobody has visited yet."""
    with serve(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the tests share."""
    with serve(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages with cookies of their own, which accept the use notice wherever it shows."""
    contexts = []

    def open_page(
        width: int = 1280, colour_scheme: str = "light", accepts_notice: bool = True
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=colour_scheme
        )
        context.set_default_timeout(1000 * READY_SECONDS)
        contexts.append(context)
        page = context.new_page()
        if accepts_notice:
            page.add_locator_handler(page.get_by_role("button", name=ACCEPT), Locator.click)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def diagnose(server: Server, new_page: Callable[..., Page]) -> Callable[..., Page]:
    """The Diagnose page, ready for slices."""

    def visit(**options: object) -> Page:
        page = new_page(**options)
        page.goto(server.url)
        page.locator(".cv-footer").wait_for()
        return page

    return visit


@pytest.fixture(scope="session")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three slices as files: real ones of COVID-CT where they are at hand, else synthetic ones."""
    real = [sorted((COVID_CT / name).glob("*.*"))[:2] for name in ("CT_COVID", "CT_NonCOVID")]
    if all(real):
        return [*real[0], real[1][0]]
    folder = tmp_path_factory.mktemp("slices")
    paths = [folder / f"synthetic-{seed}.png" for seed in range(3)]
    for seed, path in enumerate(paths):
        Image.fromarray(phantom_slice(seed, 3 * seed).ct_slice.pixels).save(path)
    return paths
