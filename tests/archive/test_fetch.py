"""A series on its way, from an archive that does not send all of it."""

import json

import pytest
from answering import answering

from covidct.archive.dicomweb import Archive
from covidct.archive.fetch import expected, fetch, parts_of, shortfall
from covidct.archive.settings import ArchiveSettings

SERIES = {
    "0020000D": {"vr": "UI", "Value": ["1.2.830.1"]},
    "0020000E": {"vr": "UI", "Value": ["1.2.830.1.1"]},
    "00201209": {"vr": "IS", "Value": [7]},
}


@pytest.fixture
def sparing(stored):
    """An archive that lists seven objects of a series and sends as many as it likes."""

    def serve(sent, listed=SERIES):
        part = b"\r\n--XX\r\nContent-Type: application/dicom\r\n\r\n"
        body = b"".join(part + data for data in stored("1.2.830")[:sent]) + b"\r\n--XX--\r\n"

        def send(handler):
            is_search = "?" in handler.path
            kind = "application/dicom+json" if is_search else "multipart/related; boundary=XX"
            handler.send_response(200)
            handler.send_header("Content-Type", kind)
            handler.end_headers()
            handler.wfile.write(json.dumps([listed]).encode() if is_search else body)

        return answering(send)

    return serve


@pytest.mark.parametrize("sent", [0, 3, 7])
def test_what_is_missing_is_said_and_the_rest_is_kept(sparing, sent):
    with sparing(sent) as url:
        archive = Archive(ArchiveSettings(url))
        parts = parts_of(archive, archive.find("1.2.830.1.1"))
        files = list(fetch(archive, parts))
    assert len(files) == sent
    said = shortfall(parts, len(files))
    assert said is None if sent == 7 else f"lists 7 objects of this series and sent {sent}" in said


def test_an_archive_that_does_not_count_lacks_nothing(sparing):
    with sparing(3, {key: SERIES[key] for key in ("0020000D", "0020000E")}) as url:
        archive = Archive(ArchiveSettings(url))
        parts = parts_of(archive, archive.find("1.2.830.1.1"))
    assert expected(parts) is None
    assert shortfall(parts, 3) is None


def test_the_command_judges_what_came_and_fails(sparing, run_here, monkeypatch):
    with sparing(3) as url:
        monkeypatch.setenv("COVIDCT_DICOMWEB", url)
        done = run_here("archive", "classify", "--series", "1.2.830.1.1", "--json")
    assert done.returncode == 1
    assert done.stderr.startswith("covidct: The archive lists 7 objects of this series and sent 3.")
    assert len(done.stdout.splitlines()) == 4
