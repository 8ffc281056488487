"""When a page in a real browser is drawn."""

from playwright.sync_api import Page, expect


def wait_until_drawn(page: Page) -> None:
    """Until the script has ended, and nothing of the run before stands dimmed on the page."""
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()
    expect(page.locator('[data-stale="true"]')).to_have_count(0)
