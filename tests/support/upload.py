"""Files that are uploaded in a real browser."""

from pathlib import Path

from playwright.sync_api import Page
from settled import wait_until_drawn


def drop(page: Page, *files: Path) -> None:
    """Give files to the page's uploader, once the uploader of the view before it has gone."""
    wait_until_drawn(page)
    page.locator("input[type=file]").set_input_files([str(file) for file in files])
