"""What a page gives to be kept, as a file."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page


def downloaded(page: Page, press: Callable[[], None], folder: Path) -> Path:
    """The file that begins to be downloaded at a press, in this folder."""
    with page.expect_download() as started:
        press()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path
