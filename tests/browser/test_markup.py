"""Names and texts that somebody else chose are shown as they are, in a real Chromium."""

import shutil
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect
from upload import drop

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.taken=1> [x](javascript:window.taken=1) :red[y] $x^2$"
INTERPRETED = """() => Boolean(window.taken) || document.querySelector(
    "img[src=x], a[href^='javascript:'], .katex, [class*=ColoredText]") !== null"""


@pytest.fixture
def hostile_slice(slices, tmp_path) -> Path:
    return Path(shutil.copy(slices[0], tmp_path / f"{HOSTILE}.png"))


def test_names_of_uploads_are_never_interpreted(diagnose, hostile_slice, tmp_path):
    no_slice = tmp_path / f"{HOSTILE}.txt"
    no_slice.write_text(HOSTILE)
    page = diagnose()
    drop(page, hostile_slice, no_slice)
    expect(page.locator("h2.cv-file")).to_have_text(hostile_slice.name)
    expect(page.get_by_text("2 files", exact=True)).to_be_visible()
    assert not page.evaluate(INTERPRETED)


def test_names_in_a_zip_and_texts_of_dicom_headers_are_never_interpreted(
    diagnose, volume, ct_header, ct_file, tmp_path
):
    texts = dict.fromkeys(("SeriesDescription", "ImageComments", "PatientID"), HOSTILE[:60])
    path = tmp_path / "series.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, values in enumerate(volume[:3]):
            header = ct_header(number, **texts, RescaleType="<b>HU</b>")
            archive.writestr(f"{HOSTILE} {number}.dcm", ct_file(header, values))
        scout = ct_header(9, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        archive.writestr(f"scout {HOSTILE}.dcm", ct_file(scout, volume[0]))
    page = diagnose()
    drop(page, path)
    expect(page.locator("h2.cv-file")).to_contain_text(HOSTILE)
    page.get_by_text("1 picture set aside").click()
    assert not page.evaluate(INTERPRETED)


def test_names_in_a_data_set_are_never_interpreted(server, new_page, phantom_dataset, tmp_path):
    path = tmp_path / f"{HOSTILE}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for folder in ("CT_COVID", "CT_NonCOVID"):
            for file in sorted((phantom_dataset / folder).iterdir())[:3]:
                archive.write(file, f"{folder} {HOSTILE}/{HOSTILE} {file.name}")
                archive.write(file, f"{folder} {HOSTILE}/twice {HOSTILE} {file.name}")
    page = new_page()
    page.goto(f"{server.url}/training")
    page.get_by_role("radio", name="Upload a ZIP").click()
    page.get_by_test_id("stFileUploader").locator("input").set_input_files(str(path))
    findings = page.locator(".cv-findings summary")
    expect(findings.first).to_be_visible()
    for summary in findings.all():
        summary.click()
    expect(page.locator(".cv-findings")).to_contain_text(HOSTILE)
    assert not page.evaluate(INTERPRETED)
