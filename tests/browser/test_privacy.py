"""The use notice, and what a whole session leaves behind: nothing."""

import re
from pathlib import Path
from uuid import uuid4

import numpy as np
import pydicom
import pytest
from download import downloaded
from playwright.sync_api import Page, expect
from pydicom import dcmread
from pydicom.uid import generate_uid
from upload import drop

from covidct.imaging.phantom import phantom_slice
from covidct.ui.shared.use_notice import COOKIE
from covidct.ui.strings import ACCEPT, LOOK_ANYWAY

pytestmark = pytest.mark.browser

LARGEST_FILE = 1 << 16  # bytes; enough for a log
ROW = 35  # height of a table row in pixels


@pytest.mark.parametrize("path", ["", "/evaluation", "/training"])
def test_nothing_can_be_used_before_the_notice_is_accepted_once(server, new_page, path):
    page = new_page(accepts_notice=False)
    page.goto(server.url + path)
    accept = page.get_by_role("button", name=ACCEPT)
    expect(accept).to_be_visible()
    expect(page.get_by_role("radio")).to_have_count(0)
    expect(page.locator("input[type=file]")).to_have_count(0)
    accept.click()
    expect(accept).to_have_count(0)
    expect(page.get_by_role("radio").or_(page.locator("input[type=file]")).first).to_be_attached()
    for name, address in (("Training", "/training$"), ("Diagnose", "/(diagnose)?$")):
        page.get_by_role("link", name=name).click()
        expect(page).to_have_url(re.compile(re.escape(server.url) + address))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("input[type=file], [role=radio]").first).to_be_attached()
        expect(accept).to_have_count(0)
    page.wait_for_function("name => document.cookie.includes(name)", arg=COOKIE)
    page.reload()
    expect(page.locator("input[type=file]")).to_be_attached()
    expect(accept).to_have_count(0)
    (kept,) = (one for one in page.context.cookies() if one["name"] == COOKIE)
    assert kept["expires"] == -1  # until the browser is closed


@pytest.fixture
def marks() -> dict[str, str]:
    """What must not be found again, by what carries it."""
    carriers = ("file", "patient", "identifier", "institution", "invalid", "pixels")
    return {carrier: f"{carrier}{uuid4().hex}" for carrier in carriers} | {"uid": generate_uid()}


@pytest.fixture
def marked_files(tmp_path_factory, marks, ct_header, ct_file, no_lungs) -> list[Path]:
    """A slice of more than a megabyte, a picture that is refused and a broken file, all marked."""
    values = np.rint(phantom_slice(4, 4, 1024).ct_slice.pixels * (1500 / 255)).astype(np.uint16)
    mark = np.frombuffer(marks["pixels"].encode(), np.uint16)
    values[0, : len(mark)] = mark
    header = ct_header(
        1,
        PatientName=marks["patient"],
        PatientID=marks["identifier"],
        InstitutionName=marks["institution"],
        StudyInstanceUID=marks["uid"],
        BitsStored=16,
        HighBit=15,
    )
    with pydicom.config.disable_value_validation():
        header.PatientAge = marks["invalid"]
        data = ct_file(header, values)
    contents = {
        "slice": data,
        "refused.png": no_lungs + marks["pixels"].encode(),
        "broken": data[: len(data) // 2],
    }
    folder = tmp_path_factory.mktemp("of the user")
    for name, content in contents.items():
        (folder / f"{marks['file']} {name}").write_bytes(content)
    return [folder / f"{marks['file']} {name}" for name in contents]


def test_a_session_leaves_no_trace_on_disk_in_logs_or_on_the_network(
    tmp_path, start_server, new_page, marks, marked_files
):
    requests: list[str] = []
    profile = tmp_path / "profile"
    with start_server(largest_file=LARGEST_FILE) as server:
        page = new_page(profile=profile)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(server.url)
        drop(page, *marked_files)
        _go_through_a_session(page, marks, marked_files[0].parent)
        page.context.close()
        traces = _traces(tmp_path, marks)
    kept = _kept_addresses(profile / "Default" / "Cache", server.url)
    assert any(address.startswith(b"/static/js/") for address in kept)
    assert not [address for address in kept if address.startswith(b"/media/")]
    assert not traces | _traces(tmp_path, marks)
    assert requests
    assert [url for url in requests if not url.startswith((server.url, "data:", "blob:"))] == []
    assert not any(mark in url for mark in marks.values() for url in requests)


def _go_through_a_session(page: Page, marks: dict[str, str], folder: Path) -> None:
    """Look at each file and take away what there is, the identifiers among it."""
    expect(page.get_by_text("3 files", exact=True)).to_be_visible()
    expect(page.locator(".cv-decision")).to_have_text(re.compile("Positive|Negative|Uncertain"))
    expect(page.get_by_alt_text("under the heat map")).to_be_visible()
    assert marks["file"] in _taken_away(page, "Results, CSV", folder).read_text()
    assert _taken_away(page, "Report, PDF", folder).read_bytes().startswith(b"%PDF")
    page.get_by_text("With patient and study").click()
    capture = dcmread(_taken_away(page, "Overlay with patient, DICOM", folder))
    assert capture.PatientName == marks["patient"]
    assert capture.StudyInstanceUID == marks["uid"]
    for row in (2, 1):
        page.get_by_test_id("stDataFrame").click(position={"x": 150, "y": ROW * (row + 1.5)})
        expect(page.locator("h2.cv-file")).to_contain_text(("refused.png", "broken")[row - 1])
        expect(page.get_by_role("alert")).to_contain_text("This file was not classified.")
    page.get_by_role("button", name=LOOK_ANYWAY).click()
    expect(page.get_by_text("Outside the intended use.")).to_be_visible()


def _taken_away(page: Page, button: str, folder: Path) -> Path:
    return downloaded(page, page.get_by_role("button", name=button).click, folder)


def _kept_addresses(cache: Path, url: str) -> set[bytes]:
    """The server's addresses in a browser's cache on disk."""
    address = re.compile(re.escape(url.encode()) + rb"(/[\w./-]*)")
    files = [path for path in cache.rglob("*") if path.is_file()]
    return {found for path in files for found in address.findall(path.read_bytes())}


def _traces(folder: Path, marks: dict[str, str]) -> set[str]:
    """Which marks are found where, in names or contents of files."""
    return {
        f"{carrier} in {path}"
        for path in folder.rglob("*")
        for carrier, mark in marks.items()
        if mark in path.name or (path.is_file() and mark.encode() in path.read_bytes())
    }
