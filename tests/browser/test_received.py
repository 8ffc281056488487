"""What a scanner sends to the server, seen in a real Chromium."""

import re
from uuid import uuid4

import pytest
from app_server import free_port
from dicom_peer import TITLE, associated, store
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

ROW, HEAD = 35, 35  # height of a table's row and head in pixels
SECRET = f"patient{uuid4().hex}"


def test_a_series_appears_and_is_opened_and_nothing_is_written(stored, run_app, new_page, tmp_path):
    port = free_port()
    secrets = f'[archive]\nreceive_port = {port}\nreceive_peers = ["{TITLE}=127.0.0.1"]\n'
    with run_app(tmp_path, lambda _: secrets) as server:
        page = new_page()
        page.goto(server.url)
        page.locator(".cv-footer").wait_for()
        page.get_by_role("link", name="Received").click()
        expect(page.get_by_text("No series has come yet.")).to_be_visible()
        with associated(port) as association:
            store(association, *stored("1.2.913.1", PatientID=SECRET))
        table = page.get_by_test_id("stDataFrame").first
        expect(table).to_be_visible()
        table.click(position={"x": 16, "y": HEAD + ROW // 2})
        expect(page.locator(".cv-verdict .cv-decision").first).to_have_text(
            re.compile("Positive|Negative|Uncertain")
        )
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert server.log in written
    for mark in (SECRET, "1.2.913"):
        assert not [file for file in written if mark in file.name]
        assert not [file for file in written if mark.encode() in file.read_bytes()]
