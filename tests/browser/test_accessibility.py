"""Keyboard, screen reader and contrast on the Diagnose page, by axe-core (WCAG 2.2, A and AA)."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from settled import wait_until_drawn
from upload import drop

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SERIOUS = {"serious", "critical"}


def findings(page: Page) -> list[tuple[str, list]]:
    """What axe finds serious, and where, once nothing is dimmed that is about to go."""
    wait_until_drawn(page)
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_nothing_serious_stands_between_a_disabled_visitor_and_a_verdict(
    server, new_page: Callable[..., Page], slices: list[Path], colour_scheme: str
):
    page = new_page(colour_scheme=colour_scheme, accepts_notice=False)
    page.goto(server.url)
    accept = page.get_by_role("button", name="I understand and accept")
    expect(accept).to_be_visible()
    assert findings(page) == []
    accept.press("Enter")
    expect(page.locator(".cv-footer")).to_be_visible()
    assert findings(page) == []
    drop(page, *slices)
    expect(page.get_by_role("toolbar", name="Slice and overlay")).to_be_visible()
    page.get_by_text("About this model").click()
    expect(page.get_by_text("At a hospital never seen")).to_be_visible()
    assert findings(page) == []
    page.set_viewport_size({"width": 400, "height": 900})
    assert findings(page) == []


def test_a_verdict_is_announced_whenever_another_slice_opens(diagnose, slices):
    page = diagnose()
    drop(page, *slices[:2])
    spoken = page.locator("[role=status].cv-spoken")
    for _ in slices[:2]:
        name = re.escape(page.locator("h2.cv-file").inner_text())
        expect(spoken).to_have_text(re.compile(f"{name}: (Positive|Negative|Uncertain)"))
        spoken.evaluate("element => { element.dataset.mark = 'the same' }")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_text("2 of 2", exact=True)).to_be_visible()
    expect(spoken).to_have_attribute("data-mark", "the same")  # else nothing would be said


def test_a_pressed_button_keeps_the_focus_for_the_next_press(diagnose, slices):
    page = diagnose()
    drop(page, slices[0])
    zoom = page.get_by_role("button", name="Zoom in")
    zoom.focus()
    for times in (1, 2):
        page.keyboard.press("Enter")
        expect(page.locator(".st-key-viewer")).to_have_attribute("data-zoomed", "true")
        expect(zoom).to_be_focused()
        value = page.locator(".st-key-viewer").evaluate("e => e.style.getPropertyValue('--zoom')")
        assert float(value) == pytest.approx(1.25**times)
    assert zoom.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
