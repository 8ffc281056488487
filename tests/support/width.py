"""Whether a page is as wide as its window."""

from playwright.sync_api import Page

_FITS = """() => [document.scrollingElement, document.querySelector("[data-testid=stMain]")]
    .every(element => element.scrollWidth <= innerWidth)"""


def is_not_scrolled_sideways(page: Page) -> bool:
    """Whether nothing of the page lies beyond its window's right edge."""
    return page.evaluate(_FITS)
