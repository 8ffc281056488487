"""Streamlit's lists of options, in a real browser."""

from playwright.sync_api import Locator
from settled import wait_until_drawn


def choose(box: Locator, option: str) -> None:
    """Open a list by its key and press an option.

    A list shuts again that is opened while the script draws the page, and the first key that it
    gets may only focus it.
    """
    wait_until_drawn(box.page)
    while box.get_attribute("aria-expanded") != "true":
        box.press("ArrowDown")
        box.page.wait_for_timeout(200)
    box.page.get_by_role("option", name=option, exact=True).click()
