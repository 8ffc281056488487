"""A real server, a real Chromium, and slices to drop into it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import patience
import pytest
from app_server import REPOSITORY, Server, serve, wait_until_healthy
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from covidct.imaging.phantom import phantom_slice
from covidct.ui.strings import ACCEPT

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

expect.set_options(timeout=1000 * patience.SECONDS)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-screenshots",
        action="store_true",
        help="write the README's screenshot to covidct/ui/assets/",
    )


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
    return wait_until_healthy


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


@pytest.fixture(scope="module")
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
    """Opens pages with cookies of their own, which accept the use notice wherever it shows.

    Nothing on them may want what the content security policy forbids. A page with a profile is one
    of a browser that keeps on disk, in that folder, what browsers keep.
    """
    contexts, forbidden = [], []

    def hear(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            forbidden.append(message.text)

    def open_page(
        width: int = 1280,
        colour_scheme: str = "light",
        accepts_notice: bool = True,
        profile: Path | None = None,
        locale: str | None = None,
    ) -> Page:
        looks = {"viewport": {"width": width, "height": 900}, "color_scheme": colour_scheme}
        looks |= {"locale": locale} if locale else {}
        if profile:
            context = chromium.browser_type.launch_persistent_context(
                profile, executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS, **looks
            )
        else:
            context = chromium.new_context(**looks)
        context.set_default_timeout(1000 * patience.SECONDS)
        context.on("console", hear)
        contexts.append(context)
        page = context.new_page()
        if accepts_notice:
            page.add_locator_handler(page.get_by_role("button", name=ACCEPT), Locator.click)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert forbidden == []


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
