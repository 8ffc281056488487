"""The Diagnose page in a real Chromium."""

import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from download import downloaded
from lists import choose
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from pydicom import dcmread
from settled import wait_until_drawn
from upload import drop
from width import is_not_scrolled_sideways

from covidct.imaging.phantom import phantom_slice

pytestmark = pytest.mark.browser

ASSETS = Path(__file__).parents[2] / "covidct" / "ui" / "assets"
DECISION = re.compile("Positive|Negative|Uncertain")
ROW = 35  # height of a table row in pixels
FITS = """() => {
  const table = document.querySelector(".dvn-scroller");
  return table?.clientWidth > 0 && table.scrollWidth <= table.clientWidth;
}"""

CONTRAST = """(element) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(
      (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let ground = element;
  while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") {
    ground = ground.parentElement;
  }
  const tones = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor]
    .map(luminance).sort((a, b) => b - a);
  return (tones[0] + 0.05) / (tones[1] + 0.05);
}"""

WIDER = "least => document.querySelector('.st-key-viewer img').clientWidth > least"


def decision(page: Page) -> Locator:
    return page.locator(".cv-decision")


def overlay(page: Page) -> Locator:
    return page.get_by_alt_text("under the heat map")


def press_row(page: Page, row: int, x: float = 150) -> None:
    page.get_by_test_id("stDataFrame").click(position={"x": x, "y": ROW * (row + 1.5)})


def file(page: Page) -> Locator:
    return page.locator("h2.cv-file")


def width(picture: Locator) -> float:
    return picture.evaluate("element => element.getBoundingClientRect().width")


@pytest.fixture
def series(tmp_path, ct_header, ct_file) -> Path:
    """A ZIP of eleven synthetic slices of one scan, from the feet to the head, out of order."""
    path = tmp_path / "series.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in np.random.default_rng(0).permutation(11).tolist():
            lesions = max(0, 8 - 3 * abs(number - 6))
            pixels = phantom_slice(number, lesions).ct_slice.pixels
            stored = np.rint(pixels * (1500 / 255)).astype(np.uint16)
            archive.writestr(f"{number}", ct_file(ct_header(number), stored))
    return path


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "**bold** <b>x< :red[y] `z` $1$.png"
    path.write_text("This is a text file that calls itself a picture.")
    return path


def test_the_page_of_a_server_that_just_started_stands_and_names_its_model(cold_server, new_page):
    page = new_page()
    page.goto(cold_server.url)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_test_id("stFileUploader")).to_be_visible()
    expect(page.get_by_role("button", name="Healthy", exact=True)).to_be_visible()
    expect(page.get_by_text("Research use only.")).to_be_in_viewport()
    expect(page.locator(".cv-footer")).to_be_visible()
    expect(page.get_by_text("Loading the network")).to_have_count(0)


def test_a_slice_gets_its_verdict_and_the_controls_change_only_the_map(diagnose, slices):
    page = diagnose()
    drop(page, slices[0])
    expect(decision(page)).to_have_text(DECISION)
    verdict, percent = decision(page).inner_text(), page.locator(".cv-reading").inner_text()
    first = overlay(page).get_attribute("src")
    mark = "element => element.dataset.mark = 'still the same'"
    decision(page).evaluate(mark)
    overlay(page).evaluate(mark)

    page.get_by_role("slider", name="Opacity").press("End")
    expect(overlay(page)).not_to_have_attribute("src", first)
    second = overlay(page).get_attribute("src")
    choose(page.get_by_role("combobox", name="Colours"), "Viridis")
    expect(overlay(page)).not_to_have_attribute("src", second)
    for element in (decision(page), overlay(page)):  # kept, hence no flicker
        expect(element).to_have_attribute("data-mark", "still the same")

    choose(page.get_by_role("combobox", name="Method"), "LayerCAM")
    expect(page.get_by_text("of the LayerCAM heat")).to_be_visible()
    expect(decision(page)).to_have_text(verdict)
    expect(page.locator(".cv-reading")).to_have_text(percent)


def test_a_bad_file_has_its_error_beside_its_name_and_the_others_their_verdicts(
    diagnose, slices, text_file
):
    page = diagnose()
    drop(page, slices[0], text_file, slices[-1])
    expect(page.get_by_text("3 files", exact=True)).to_be_visible()
    expect(page.get_by_text("1 Not read")).to_be_visible()
    expect(decision(page)).to_have_text(DECISION)
    press_row(page, 2)
    expect(file(page)).to_have_text(text_file.name)
    expect(page.get_by_role("alert")).to_contain_text("text file")
    assert page.locator("h2.cv-file").evaluate("element => element.childElementCount") == 0
    expect(decision(page)).to_have_count(0)
    for row, key in ((1, "ArrowLeft"), (0, "ArrowLeft"), (1, "ArrowRight")):
        page.keyboard.press(key)
        expect(page.get_by_text(f"{row + 1} of 3", exact=True)).to_be_visible()
        expect(decision(page)).to_have_text(DECISION)
    assert {file(page).inner_text()} < {slices[0].name, slices[-1].name}


@pytest.mark.parametrize(("wide", "colour_scheme"), [(1280, "light"), (400, "dark")])
def test_of_many_files_the_picture_comes_first_with_its_verdict(
    diagnose, tmp_path, wide, colour_scheme
):
    files = [tmp_path / f"phantom-{seed}.png" for seed in range(14)]
    for seed, path in enumerate(files):
        Image.fromarray(phantom_slice(seed, seed % 5 * 2).ct_slice.pixels).save(path)
    page = diagnose(width=wide, colour_scheme=colour_scheme)
    page.set_viewport_size({"width": wide, "height": 800})
    drop(page, *files)
    expect(overlay(page)).to_be_visible()
    wait_until_drawn(page)
    badge = page.locator(".cv-badge")
    expect(badge).to_have_text(DECISION)
    expect(badge).to_be_in_viewport(ratio=1)
    assert badge.evaluate(CONTRAST) >= 4.5
    notice = page.get_by_text("Research use only.").bounding_box()["y"]
    picture = page.locator(".st-key-viewer img").first.bounding_box()
    table = page.get_by_test_id("stDataFrame")
    if wide == 1280:  # whole, and the table beside it
        assert picture["y"] + picture["height"] <= notice
        assert table.bounding_box()["x"] >= picture["x"] + 2 * picture["width"]
        assert table.bounding_box()["y"] + 6 * ROW <= notice
    else:
        assert picture["y"] + picture["height"] / 2 <= notice
        assert table.bounding_box()["y"] > picture["y"] + picture["height"]
    assert is_not_scrolled_sideways(page)
    page.wait_for_function(FITS)
    first = file(page).inner_text()
    press_row(page, 3)
    expect(page.get_by_text("4 of 14", exact=True)).to_be_visible()
    expect(file(page)).not_to_have_text(first)


def test_a_narrow_screen_is_not_scrolled_sideways(diagnose, slices, text_file):
    page = diagnose(width=400)
    assert is_not_scrolled_sideways(page)
    drop(page, slices[0], text_file)
    expect(decision(page)).to_have_text(DECISION)
    expect(overlay(page)).to_be_visible()
    assert is_not_scrolled_sideways(page)
    for picture in page.get_by_role("img").all():
        box = picture.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 400
    page.get_by_role("button", name="Expand sidebar").click()
    page.get_by_role("link", name="Evaluation").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How good is the model?")
    expect(page.get_by_role("button", name="Expand sidebar")).to_be_visible()
    expect(page.get_by_role("link", name="Training")).not_to_be_in_viewport()


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_texts_stand_out_and_the_notice_stays(diagnose, slices, colour_scheme):
    page = diagnose(colour_scheme=colour_scheme)
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", colour_scheme)
    drop(page, slices[0])
    expect(decision(page)).to_have_text(DECISION)
    expect(page.locator(".cv-colours")).to_be_visible()
    for kind in ("lead", "hint", "file", "decision", "reading", "ends", "caption", "notice"):
        for element in page.locator(f".cv-{kind}").all():
            assert element.evaluate(CONTRAST) >= 4.5, kind
    for element in (page.get_by_text("About this model"), page.get_by_role("heading", level=1)):
        element.scroll_into_view_if_needed()
        expect(page.get_by_text("Research use only.")).to_be_in_viewport()


def test_slices_and_verdicts_outlast_another_page_until_removed_or_loaded_again(diagnose, slices):
    page = diagnose()
    drop(page, slices[0], slices[1])
    expect(decision(page)).to_have_text(DECISION)
    verdict, name = decision(page).inner_text(), page.locator("h2.cv-file").inner_text()
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator(".st-key-viewer")).to_have_attribute("data-zoomed", "true")
    opacity = page.get_by_role("slider", name="Opacity")
    opacity.press("End")
    expect(opacity).to_have_value("100")
    page.get_by_role("link", name="Training").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train on your own slices")
    page.get_by_role("link", name="Diagnose").click()
    expect(page.locator("h2.cv-file")).to_have_text(name)
    expect(decision(page)).to_have_text(verdict)
    expect(page.locator(".st-key-viewer")).to_have_attribute("data-zoomed", "true")
    expect(opacity).to_have_value("100")
    drop(page, slices[-1])
    expect(page.get_by_text("3 files", exact=True)).to_be_visible()
    page.get_by_role("button", name="Remove all 3 files").click()
    expect(decision(page)).to_have_count(0)
    drop(page, slices[0])
    expect(decision(page)).to_have_text(DECISION)
    page.reload()
    expect(page.get_by_test_id("stFileUploader")).to_be_visible()
    expect(page.locator(".cv-footer")).to_be_visible()
    expect(decision(page)).to_have_count(0)


def test_a_series_is_walked_slice_by_slice(diagnose, series, tmp_path, request):
    page = diagnose()
    drop(page, series)
    slider = page.get_by_role("slider", name="Slice, from the feet to the head")
    expect(slider).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    expect(overlay(page)).to_be_visible()
    if request.config.getoption("--update-screenshots", default=False):
        screenshot(page, tmp_path / "series.png", height=1120)
    for key, number in (("Home", 0), ("End", 10)):
        slider.press(key)
        expect(file(page)).to_have_text(f"series.zip/{number}")
        expect(slider).to_have_value(f"{number + 1}")
        expect(overlay(page)).to_be_visible()
        wait_until_drawn(page)
    slider.press("ArrowLeft")  # the slider's own, and of no button
    expect(file(page)).to_have_text("series.zip/9")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("ArrowLeft")
    expect(file(page)).to_have_text("series.zip/8")
    expect(slider).to_have_value("9")
    thumbnail = page.locator("[class*=st-key-thumbnail]").last
    number = int(re.search(r"Slice (\d+),", thumbnail.inner_text())[1])
    thumbnail.get_by_role("img").click(force=True)  # its button lies over it
    expect(file(page)).to_have_text(f"series.zip/{number - 1}")
    chart = page.get_by_test_id("stVegaLiteChart").locator("canvas, svg.marks").bounding_box()
    page.mouse.click(chart["x"] + chart["width"] - 20, chart["y"] + chart["height"] / 2)
    expect(file(page)).to_have_text("series.zip/10")


def test_slice_and_overlay_use_the_width_there_is_and_are_looked_at_together(diagnose, slices):
    page = diagnose()
    drop(page, slices[0])
    pictures = page.locator(".st-key-viewer img")
    expect(page.get_by_role("button", name="Full screen")).to_be_visible()
    assert 2 * width(pictures.first) > 0.8 * 1280
    page.set_viewport_size({"width": 1920, "height": 900})
    page.wait_for_function(WIDER, arg=0.4 * 2 * 0.85 * 900)
    beside = width(pictures.first)
    shown = page.evaluate("() => [...document.images].map(one => getComputedStyle(one).content)")
    page.keyboard.press("+")
    expect(page.locator(".st-key-viewer")).to_have_attribute("data-zoomed", "true")
    assert width(pictures.first) == width(pictures.last) > 1.1 * beside
    page.keyboard.press("0")
    page.keyboard.press("h")
    expect(page.get_by_role("button", name="Overlay", exact=True)).to_have_attribute(
        "aria-pressed", "false"
    )
    assert pictures.last.evaluate("one => getComputedStyle(one).content") not in shown
    page.keyboard.press("h")
    page.keyboard.press("s")
    page.get_by_label("Where the overlay begins").press("End")
    assert (
        page.locator(".st-key-viewer").evaluate("one => one.style.getPropertyValue('--cut')")
        == "100%"
    )
    boxes = [one.bounding_box() for one in pictures.all()]
    assert boxes[0] == boxes[1]
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement?.matches('.st-key-viewer')")


def test_a_series_gives_segmentation_report_and_map(diagnose, volume, ct_header, ct_file, tmp_path):
    placed = {"StudyInstanceUID": "1.2.9", "FrameOfReferenceUID": "1.2.8"}
    files = [tmp_path / f"{number}.dcm" for number in range(2)]
    for number, file in enumerate(files):
        file.write_bytes(ct_file(ct_header(number, **placed), volume[number]))
    page = diagnose()
    drop(page, *files)
    button = page.get_by_role("button", name="Segmentation, report and map, DICOM")
    expect(button).to_be_disabled()
    page.get_by_text("With patient and study").click()
    expect(button).to_be_enabled()
    with zipfile.ZipFile(downloaded(page, button.click, tmp_path)) as archive:
        (tmp_path / "seg.dcm").write_bytes(archive.read("seg.dcm"))
        assert set(archive.namelist()) == {"seg.dcm", "sr.dcm", "map.dcm"}
    segmentation = dcmread(tmp_path / "seg.dcm")
    assert segmentation.Modality == "SEG"
    assert segmentation.PatientName == "Secret^Patient"


def test_the_first_look_makes_the_screenshot_of_the_readme(diagnose, tmp_path, request):
    page = diagnose()
    page.get_by_role("button", name="8 opacities", exact=True).click()
    expect(decision(page)).to_have_text(DECISION)
    expect(page.locator("h2.cv-file")).to_have_text("Synthetic slice: 8 opacities")
    expect(overlay(page)).to_be_visible()
    if request.config.getoption("--update-screenshots", default=False):
        screenshot(page, tmp_path / "diagnose.png", height=1900)


def screenshot(page: Page, to: Path, height: int) -> None:
    """A picture of the page for the README."""
    page.mouse.move(0, 0)
    page.set_viewport_size({"width": 1280, "height": height})
    page.wait_for_timeout(1000)  # charts are redrawn for the new size
    page.screenshot(path=to)
    shutil.copy(to, ASSETS)
