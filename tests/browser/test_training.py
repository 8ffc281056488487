"""The Training page in a real Chromium: from a ZIP of slices to a model in use, and back."""

import os
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from lists import choose
from playwright.sync_api import Locator, Page, expect
from upload import drop
from width import is_not_scrolled_sideways

from covidct.imaging.phantom import phantom_slice
from covidct.jobs.process import process_identity
from covidct.jobs.status import JobStatus, write_status
from covidct.training.run_folder import start_run_folder

pytestmark = pytest.mark.browser

ASSETS = Path(__file__).parents[2] / "covidct" / "ui" / "assets"
NAME = "walk (1)"
EPOCHS = 8
WIDER = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)"


@pytest.fixture(scope="module")
def slices_zip(tmp_path_factory) -> Path:
    """50 synthetic slices of 50 patients in two folders."""
    path = tmp_path_factory.mktemp("upload") / "slices <b>50.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for class_name, lesions in (("CT_COVID", 5), ("CT_NonCOVID", 0)):
            for i in range(25):
                pixels = phantom_slice(200 * lesions + i, lesions, size=160).ct_slice.pixels
                name = f"patient {chr(ord('a') + i)}.png"
                archive.writestr(f"{class_name}/{name}", cv2.imencode(".png", pixels)[1].tobytes())
    return path


def view(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).click()


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def fill(page: Page, setting: str, value: int) -> None:
    field = page.get_by_role("spinbutton", name=setting, exact=True)
    field.fill(str(value))
    field.press("Enter")


def points(page: Page) -> Locator:
    """Marks in the chart of the AUC."""
    return page.get_by_test_id("stVegaLiteChart").first.locator("g.mark-symbol path")


def upload(page: Page, file: Path) -> None:
    page.get_by_role("radio", name="Upload a ZIP").click()
    drop(page, file)
    expect(page.get_by_text("20 slices of 20 patients").first).to_be_visible()


def expect_in_use(page: Page, model: str) -> None:
    page.get_by_role("link", name="Diagnose").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("COVID-19 on a chest CT slice")
    expect(page.locator(".cv-footer").filter(has_text=model)).to_be_visible()


def leave_one_out_and_take_it_back(page: Page) -> None:
    """By its label, below the report, which is made anew when it is asked for."""
    left_out = page.locator(".cv-findings").get_by_text("1 left out.")
    for shown, decision, told in (
        ("All with a label (50)", "Leave out", 1),
        ("Corrected (1)", "As filed: COVID-19", 0),
    ):
        page.get_by_text(shown).click()
        choose(page.get_by_role("combobox", name="Label of patient c.png").first, decision)
        expect(left_out).to_have_count(1 - told)
        button(page, "Check again").click()
        expect(left_out).to_have_count(told)
        expect(button(page, "Check again")).to_have_count(0)


def test_from_a_zip_to_a_model_in_use_and_back(
    cold_server, new_page, slices_zip, slices, tmp_path, request
):
    page = new_page()
    page.goto(f"{cold_server.url}/training")
    upload(page, slices_zip)
    expect(page.locator(".cv-findings")).to_contain_text("No picture is there twice.")
    assert page.locator(".cv-findings .cv-bad").count() == 0
    expect(page.get_by_alt_text("Slices of the class COVID-19")).to_be_visible()
    leave_one_out_and_take_it_back(page)

    # Many short epochs: some pass on any machine while the page is looked at
    network = page.get_by_role("combobox", name="Network")
    network.fill("Lite0")
    network.press("ArrowDown")
    network.press("Enter")
    expect(network).to_have_value(re.compile("EfficientNet-Lite0"))
    for setting, value in (
        ("Epochs of fine-tuning", EPOCHS),
        ("Image size", 64),
        ("Batch size", 2),
    ):
        fill(page, setting, value)
    page.get_by_text("How it learns", exact=True).click()
    fill(page, "Views to solve the head on", 1)
    page.get_by_role("textbox", name="Name of the run").fill(NAME)
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Name of the run")).to_have_value(NAME)
    button(page, "Start").click()
    expect(button(page, "Stop the run")).to_be_visible()
    expect(points(page)).to_have_count(0)

    second = new_page()
    second.goto(f"{cold_server.url}/training?view=New+run")
    expect(button(second, "Add to the queue")).to_be_visible()
    second.close()

    expect(points(page).first).to_be_visible()
    expect(page.get_by_text(re.compile(rf"Epoch \d+ of {EPOCHS}"))).to_be_visible()
    drawing = page.get_by_test_id("stVegaLiteChart").first.locator("svg").first
    drawing.evaluate("element => element.dataset.mark = 'still the same'")
    expect(points(page).nth(points(page).count())).to_be_visible()  # one more
    expect(drawing).to_have_attribute("data-mark", "still the same")  # kept, hence no flicker

    page.reload()
    expect(button(page, "Stop the run")).to_be_visible()
    expect(page.get_by_role("combobox", name="Run")).to_have_value(re.compile("in progress"))
    expect(points(page).first).to_be_visible()
    button(page, "Stop the run").click()
    expect(button(page, "Resume")).to_be_visible()
    kept = re.compile(rf"\d+ of {EPOCHS} epochs are kept")
    expect(page.locator(".cv-state")).to_contain_text(kept)
    expect(points(page).first).to_be_visible()
    before = points(page).count()

    button(page, "Resume").click()
    expect(page.locator(".cv-state")).to_contain_text("Finished")
    expect(points(page).nth(before)).to_be_visible()  # one more

    expect(button(page, "Use this model")).to_be_visible()
    expect(page.get_by_text("paired bootstrap over patients")).to_be_visible()
    _open_slices(page)
    if request.config.getoption("--update-screenshots", default=False):
        _screenshot(page, tmp_path)
    button(page, "Use this model").click()
    nevertheless = button(page, "Use it nevertheless")
    used = page.get_by_text("This model is in use")
    expect(nevertheless.or_(used)).to_be_visible()
    if nevertheless.is_visible():
        nevertheless.click()
    expect(used).to_be_visible()

    expect_in_use(page, NAME)
    drop(page, slices[0])
    expect(page.locator(".cv-decision")).to_have_text(re.compile("Positive|Negative|Uncertain"))

    page.get_by_role("link", name="Training").click()
    view(page, "Model in use")
    # The tables of the view before stand until this one is drawn
    expect(page.locator(".cv-table").filter(has_text="Promoted")).to_be_visible()
    button(page, "Roll back").click()
    expect(page.locator(".cv-table").filter(has_text="Rolled back")).to_be_visible()
    expect(page.locator(".cv-state").filter(has_text="covidct-astra")).to_be_visible()
    expect_in_use(page, "covidct-astra")


def _open_slices(page: Page) -> None:
    """A cell of the confusion matrix opens its slices, and one of them its heat map."""
    cell = page.get_by_role("button", name=re.compile(r"^\d+ (found|cleared)$"))
    (named,) = [c for c in cell.all() if c.is_enabled()][:1]
    named.click()
    expect(page.get_by_text(re.compile("slices called (Positive|Negative)"))).to_be_visible()
    page.locator("[class*=st-key-open] button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".cv-decision")).to_have_text(re.compile("Positive|Negative|Uncertain"))
    no_map = dialog.get_by_text("There is no map to show.")  # a network so young may have none
    expect(dialog.get_by_alt_text("under the heat map").or_(no_map)).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def _screenshot(page: Page, folder: Path) -> None:
    page.mouse.move(0, 0)
    page.set_viewport_size({"width": 1280, "height": 2400})
    page.wait_for_timeout(1000)  # charts are redrawn for the new size
    page.screenshot(path=folder / "training.png")
    shutil.copy(folder / "training.png", ASSETS)
    page.set_viewport_size({"width": 1280, "height": 900})


def test_one_press_starts_a_run_that_outlives_its_server(
    start_server, new_page, slices_zip, tmp_path
):
    with zipfile.ZipFile(slices_zip) as archive:
        archive.extractall(tmp_path / "home" / "data" / "ward 7")
    with start_server() as server:
        page = new_page()
        page.goto(f"{server.url}/training")
        expect(button(page, "Start")).to_be_enabled()
        button(page, "Start").click()
        expect(button(page, "Stop the run")).to_be_visible()
    with start_server() as server:
        page.goto(f"{server.url}/training")
        expect(page.get_by_role("combobox", name="Run")).to_have_value(re.compile("in progress"))
        button(page, "Stop the run").click()
        expect(button(page, "Resume")).to_be_visible()


def test_a_resumed_run_is_followed_to_its_end_without_another_press(
    start_server, new_page, quick, tmp_path
):
    run = tmp_path / "home" / "runs" / "of data that are gone"
    start_run_folder(run, tmp_path / "gone", quick)
    write_status(run, JobStatus("stopped"))
    with start_server() as server:
        page = new_page()
        page.goto(f"{server.url}/training?view=Runs")
        expect(page.locator(".cv-state")).to_contain_text("Stopped")
        button(page, "Resume").click()
        expect(page.locator(".cv-state")).to_contain_text("Failed")


def test_who_asked_is_told_of_the_end_of_a_run_on_another_page(
    start_server, new_page, quick, tmp_path
):
    run = tmp_path / "home" / "runs" / "long awaited"
    start_run_folder(run, tmp_path / "gone", quick)
    write_status(
        run, JobStatus("running", pid=os.getpid(), process_started=process_identity(os.getpid()))
    )
    with start_server() as server:
        page = new_page()
        page.add_init_script("""
            window.Notification = class {
                static permission = "granted";
                constructor(title, { body }) {
                    const { dataset } = document.documentElement;
                    dataset.told = `${dataset.told ?? ""}${title}: ${body}`;
                }
            };
        """)
        page.goto(f"{server.url}/training")
        page.get_by_text("Tell me when it ends").click()
        expect(page.locator(".st-key-notices")).to_be_attached()  # the server has taken it
        page.get_by_role("link", name="Evaluation").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("How good is the model?")
        write_status(run, JobStatus("finished"))
        told, once = page.locator("html"), "A run has ended: “long awaited” has finished."
        expect(told).to_have_attribute("data-told", once)
        page.get_by_role("link", name="Diagnose").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("COVID-19 on a chest CT slice")
        expect(told).to_have_attribute("data-told", once)


def test_the_page_stands_before_the_network_is_loaded(cold_server, new_page):
    page = new_page()
    page.goto(f"{cold_server.url}/training")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(button(page, "Start")).to_be_disabled()
    expect(page.get_by_text("Choose data first")).to_be_visible()
    expect(page.get_by_text("Research use only.")).to_be_in_viewport()
    assert "tensorflow" not in cold_server.log.read_text().lower()


def test_a_bad_value_is_refused_beside_its_field_and_the_preview_follows_the_sliders(
    server, new_page
):
    page = new_page()
    page.goto(f"{server.url}/training")
    fill(page, "Epochs of fine-tuning", 1001)
    expect(page.get_by_role("alert")).to_have_text("Enter a value from 0 to 1,000.")
    fill(page, "Epochs of fine-tuning", 3)
    expect(page.get_by_role("alert")).to_have_count(0)

    page.get_by_text("Augmentation", exact=True).click()
    preview = page.get_by_alt_text(re.compile("random variants"))
    expect(preview).to_be_visible()
    first = preview.get_attribute("src")
    page.get_by_role("slider", name="Rotation").press("End")
    expect(preview).not_to_have_attribute("src", first)
    page.get_by_role("link", name="Diagnose").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("COVID-19 on a chest CT slice")
    page.get_by_role("link", name="Training").click()
    expect(page.get_by_role("spinbutton", name="Epochs of fine-tuning", exact=True)).to_have_value(
        "3"
    )


def test_a_narrow_screen_is_not_scrolled_sideways(server, new_page, slices_zip):
    page = new_page(width=400)
    page.goto(f"{server.url}/training")
    expect(button(page, "Start")).to_be_visible()
    upload(page, slices_zip)
    for section in ("How it learns", "Validation and chance", "Augmentation"):
        page.get_by_text(section, exact=True).click()
    expect(page.get_by_alt_text(re.compile("random variants"))).to_be_visible()
    assert is_not_scrolled_sideways(page)
    for name in ("Runs", "Compare", "Model in use", "Log of actions"):
        view(page, name)
        expect(page.get_by_role("radio", name=name, exact=True)).to_be_checked()
        assert is_not_scrolled_sideways(page)


def test_tables_fit_a_narrow_window_without_scrolling_within_it(
    tmp_path, start_server, new_page, phantom_dataset, quick
):
    runs = tmp_path / "home" / "runs"
    for number, name in enumerate(("the first of two with a long name", "the second of them")):
        start_run_folder(runs / name, phantom_dataset, replace(quick, seed=number))
        write_status(runs / name, JobStatus("stopped"))
    with start_server() as server:
        page = new_page(width=400)
        page.goto(f"{server.url}/training?view=Runs")
        page.get_by_text("All settings", exact=True).click()
        table = page.locator(".cv-scroll")
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Seed"))
        expect(row).to_be_visible()
        assert table.evaluate_all(WIDER) == []
        view(page, "Compare")
        expect(row.get_by_role("cell")).to_have_count(2)
        assert table.evaluate_all(WIDER) == []
        assert is_not_scrolled_sideways(page)
