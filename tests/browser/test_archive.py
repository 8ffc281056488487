"""From a search in a real archive to a verdict and back, in a real Chromium."""

import re
import time
from io import BytesIO
from uuid import uuid4

import pytest
from answering import answering
from playwright.sync_api import expect
from pydicom import dcmread
from pydicom.uid import SecondaryCaptureImageStorage

pytestmark = pytest.mark.browser

ROW = 48  # height of a table row in pixels
HEAD = 35
SECRET = f"patient{uuid4().hex}"


@pytest.fixture
def filled(orthanc, stored):
    orthanc.put(*stored("1.2.828.1", PatientID=SECRET, PatientName=f"{SECRET}^x"))
    return orthanc


def secrets_of(orthanc):
    return lambda url: (
        f"""
[archive]
dicomweb = "{orthanc.dicomweb}"
user = "covidct"
password = "{orthanc.password}"
"""
    )


def test_two_presses_from_search_to_verdict_and_results_go_back(
    filled, run_app, new_page, tmp_path
):
    with run_app(tmp_path, secrets_of(filled)) as server:
        page, addresses = new_page(), []
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(server.url)
        page.get_by_role("radio", name="Archive").click()
        page.get_by_label("Patient ID").fill(SECRET)
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_text("1 series. Select it:")).to_be_visible()
        page.get_by_test_id("stDataFrame").first.click(position={"x": 16, "y": HEAD + ROW // 2})
        expect(page.locator(".cv-verdict .cv-decision").first).to_have_text(
            re.compile("Positive|Negative|Uncertain")
        )
        page.get_by_text("Send results back to the archive").click()
        page.get_by_text("Heat maps over the slices, as secondary captures").click()
        expect(page.get_by_text("7 objects go into the study of the slices")).to_be_visible()
        assert len(filled.files(PatientID=SECRET)) == 7
        page.get_by_role("button", name="Send 7 objects").click()
        expect(page.get_by_text("The archive stored all 7 objects.")).to_be_visible()
    captures = [dcmread(BytesIO(data)) for data in filled.files(PatientID=SECRET)]
    made = [one for one in captures if one.SOPClassUID == SecondaryCaptureImageStorage]
    assert len(made) == 7
    assert {str(one.PatientName) for one in made} == {f"{SECRET}^x"}
    assert {str(one.pixel_array.shape) for one in made} == {"(160, 176, 3)"}
    assert not [address for address in addresses if SECRET in address]
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert server.log in written
    for mark in (SECRET, "1.2.828.1"):
        assert not [file for file in written if mark in file.name]
        assert not [file for file in written if mark.encode() in file.read_bytes()]


def slowly(orthanc):
    """Passes on what an archive answers, a little at a time."""

    def relay(handler):
        asked = {"Accept": handler.headers["Accept"]}
        with orthanc.session.get(
            f"{orthanc.root}{handler.path}", headers=asked, stream=True
        ) as got:
            handler.send_response(got.status_code)
            handler.send_header("Content-Type", got.headers["Content-Type"])
            handler.end_headers()
            for chunk in got.iter_content(20_000):
                handler.wfile.write(chunk)
                time.sleep(0.1)

    return relay


def test_a_series_on_its_way_can_be_cancelled_and_fetched_again(
    orthanc, stored, run_app, new_page, tmp_path
):
    orthanc.put(*stored("1.2.828.2", 40, PatientID="slow"))
    with answering(slowly(orthanc)) as url:
        named = f'[archive]\ndicomweb = "{url}"\n'
        with run_app(tmp_path, lambda _: named) as server:
            page = new_page()
            page.goto(server.url)
            page.get_by_role("radio", name="Archive").click()
            page.get_by_label("Patient ID").fill("slow")
            page.get_by_role("button", name="Search").click()
            expect(page.get_by_text("1 series. Select it:")).to_be_visible()
            page.get_by_test_id("stDataFrame").first.click(position={"x": 16, "y": HEAD + ROW // 2})
            expect(page.get_by_text(re.compile(r"Fetching slice \d+ of 40"))).to_be_visible()
            page.get_by_role("button", name="Cancel").click()
            expect(page.get_by_text("Nothing of the series was kept.")).to_be_visible()
            page.get_by_role("button", name="Fetch it again").click()
            expect(page.locator(".cv-verdict .cv-decision").first).to_be_visible()
