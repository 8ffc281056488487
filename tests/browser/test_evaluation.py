"""The Evaluation page in a real Chromium: from labelled slices to figures in a file."""

import re
import shutil
import zipfile

import pytest
from download import downloaded
from lists import choose
from playwright.sync_api import Locator, Page, expect
from width import is_not_scrolled_sideways

pytestmark = pytest.mark.browser

PARTS = {  # tabs of the results, and what is seen there
    "Figures": ".cv-confusion",
    "Worst mistakes": ".st-key-mistakes img",
    "Where it works": "text=Results by size as CSV",
    "Calibration": "text=When the model does not commit itself",
    "What it goes by": "text=What turns verdicts over that must not matter",
    "Heat maps": "text=heat maps of this model have not been measured",
}
WIDER = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)"


def button(page: Page, name: str | re.Pattern) -> Locator:
    return page.get_by_role("button", name=name, exact=isinstance(name, str))


def tab(page: Page, name: str) -> Locator:
    return page.get_by_role("tab", name=name)


def cells(page: Page) -> list[str]:
    return page.locator(".cv-confusion strong").all_inner_texts()


def test_from_labelled_slices_to_figures_in_a_file(
    cold_server, new_page, tiny_model, phantom_dataset, tmp_path
):
    shutil.copytree(tiny_model, tmp_path / "home" / "models" / "tiny")
    data = shutil.copytree(phantom_dataset, tmp_path / "slices")
    page = new_page()
    page.goto(f"{cold_server.url}/evaluation")
    page.get_by_role("radio", name="New evaluation").click()
    expect(page.get_by_text("Choose labelled slices first")).to_be_visible()
    expect(button(page, "Evaluate and audit")).to_be_disabled()
    assert "tensorflow" not in cold_server.log.read_text().lower()

    choose(page.get_by_role("combobox", name="Model"), "tiny · promoted")
    page.get_by_role("radio", name="On this server").click()
    page.get_by_role("textbox", name="Or a folder of this server").fill(str(data))
    page.keyboard.press("Enter")
    expect(page.get_by_text("24 slices of 24 patients")).to_be_visible()
    button(page, "Evaluate and audit").click()
    expect(button(page, "Cancel")).to_be_visible()

    page.reload()
    expect(button(page, "Cancel")).to_be_visible()
    expect(page.get_by_text(re.compile(r"(Evaluating|Auditing): \d+ of 24"))).to_be_visible()
    expect(button(page, "Cancel")).to_have_count(0)
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)

    page.get_by_role("slider", name="Call a slice Positive").press("End")
    expect(page.locator(".cv-confusion strong").first).to_have_text("0")
    assert cells(page) == ["0", "12", "0", "12"]
    button(page, re.compile("^High sensitivity")).click()
    expect(page.locator(".cv-confusion strong").first).to_have_text("12")

    rates = downloaded(page, button(page, "Rates as CSV").click, tmp_path)
    assert rates.read_text().startswith('"rate","operating_point","value","low","high","hits"')
    picture = button(page, re.compile("^Download as PNG")).first
    png = downloaded(page, lambda: picture.press("Enter"), tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")

    tab(page, "Worst mistakes").click()
    pictures = page.locator(".st-key-mistakes img")
    expect(pictures.first).to_be_visible()
    page.locator("[class*=st-key-open-mistake] button").first.click()
    expect(page.get_by_role("dialog").locator(".cv-decision")).to_be_visible()
    page.keyboard.press("Escape")

    everything = downloaded(page, button(page, "All results").click, tmp_path)
    assert zipfile.ZipFile(everything).namelist() == [
        "metrics.json",
        "predictions.csv",
        "audit.json",
    ]
    visitor = new_page(width=400, colour_scheme="dark")
    visitor.goto(f"{cold_server.url}/evaluation")
    for part, seen in PARTS.items():
        tab(visitor, part).click()
        expect(visitor.locator(seen).first).to_be_visible()
        assert is_not_scrolled_sideways(visitor)
        wider = visitor.locator(".cv-scroll").evaluate_all(WIDER)
        assert wider == [], part
