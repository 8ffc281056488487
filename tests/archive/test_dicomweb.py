"""The client beside a real archive, and beside servers that fail as archives do."""

import logging
import time
from io import BytesIO

import pytest
from answering import answering
from pydicom import dcmread

from covidct.archive.dicomweb import Archive
from covidct.archive.listed import ArchivedSeries
from covidct.archive.query import Query, date_range
from covidct.archive.settings import ArchiveSettings
from covidct.errors import ConfigError, DICOMwebError

SECRET = "patient-4711"


def objects(files):
    return [dcmread(BytesIO(data)) for data in files]


def found(archive, **query):
    series, more = archive.search(Query(**query))
    assert not more
    return series


def test_a_series_is_found_by_what_is_known_of_it(named, archive, stored):
    root = "1.2.826.1"
    known = {"AccessionNumber": "A77", "StudyDate": "20260131", "SeriesDescription": "Lung 1.25"}
    named.put(*stored(root, PatientID=SECRET, SeriesNumber="4", **known))
    expected = ArchivedSeries(
        f"{root}.1.1", f"{root}.1", SECRET, "CT", "2026-01-31", "Lung 1.25", 7, "4"
    )
    for query in (
        {"patient_id": SECRET},
        {"patient_id": "patient-47?1"},
        {"accession_number": "A77"},
        {"date": date_range("2026-01-31"), "description": "lung"},
        {"date": date_range("2026-01-01-2026-02-01"), "patient_id": SECRET},
    ):
        assert found(archive, **query) == [expected]
    assert archive.find(f"{root}.1.1") == expected
    assert found(archive, patient_id=SECRET, date=date_range("20250101-20251231")) == []
    assert found(archive, patient_id=SECRET, description="head") == []


@pytest.mark.parametrize("identifier", ["a b/7", "a,b&c=7", "ü+7%20", "#7"])
def test_an_identifier_may_hold_anything(named, archive, stored, identifier):
    uid = f"1.2.826.2.{len(identifier)}.{ord(identifier[0])}"
    patient = {"PatientID": identifier, "SpecificCharacterSet": "ISO_IR 192"}
    other = {**patient, "PatientID": identifier.replace("7", "8"), "SeriesInstanceUID": f"{uid}.8"}
    named.put(*stored(uid, 1, **patient), *stored(uid, 1, **other, StudyInstanceUID=f"{uid}.7"))
    assert [one.series for one in found(archive, patient_id=identifier)] == [f"{uid}.1.1"]


def test_a_search_lists_the_newest_first_and_says_if_there_are_more(named, archive, stored):
    days = ["20260102", "20251231", "20260103", "20260101"]
    for number, day in enumerate(days):
        uids = {"StudyInstanceUID": f"1.2.826.9.{number}", "SeriesInstanceUID": f"1.2.826.9.{day}"}
        named.put(*stored("1.2.826.9", 1, PatientID="many", StudyDate=day, **uids))
    listed, more = archive.search(Query(patient_id="many"), most=3)
    assert more
    assert len(listed) == 3
    assert [one.date for one in listed] == sorted((one.date for one in listed), reverse=True)


def test_objects_are_fetched_as_they_are_stored(named, archive, stored):
    files = stored("1.2.826.3")
    without_preamble = files[-1][132:]
    named.put(*files[:-1], without_preamble)
    fetched = list(archive.fetch(archive.find("1.2.826.3.1.1")))
    assert sorted(fetched) == sorted([*files[:-1], without_preamble])


def test_no_more_is_fetched_than_the_limit(named, archive, stored):
    named.put(*stored("1.2.826.4"))
    series = archive.find("1.2.826.4.1.1")
    with pytest.raises(DICOMwebError, match=r"more than 0 MB.*Nothing of the series was kept"):
        list(archive.fetch(series, 300_000))


def test_what_is_not_there_is_said(archive):
    for uid in ("1.2.3.4.5.6", "", "..", "*", "1/../2"):
        with pytest.raises(DICOMwebError, match="no series of this UID"):
            archive.find(uid)
    gone = ArchivedSeries("1.2.3.4.5.6", "1.2.3.4.5", "", "CT", "", "", 1)
    with pytest.raises(DICOMwebError, match="does not have what was asked for"):
        list(archive.fetch(gone))


def test_a_thumbnail_is_a_small_picture(named, archive, stored):
    named.put(*stored("1.2.826.5"))
    picture = archive.thumbnail(archive.find("1.2.826.5.1.1"))
    assert picture.startswith(b"\xff\xd8\xff")
    assert len(picture) < 20_000


def test_what_was_stored_is_read_from_the_answer(named, archive, stored):
    made = objects(stored("1.2.826.6", 3))
    for one in made:
        one.preamble = None  # as of objects that are no files yet
    told = list(archive.store(made))
    assert [(one.stored, one.sent, one.is_whole) for one in told] == [
        (number, number, True) for number in (1, 2, 3)
    ]
    answer = told[-1]
    assert str(answer.sentence) == "The archive stored all 3 objects."
    held = named.files(SeriesInstanceUID="1.2.826.6.1.1")
    assert {dcmread(BytesIO(data)).SOPInstanceUID for data in held} == {
        f"1.2.826.6.1.1.{number}" for number in (1, 2, 3)
    }


JSON = "application/dicom+json"
REFUSED = (
    '{"00081198": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.826.7.1.1.2"]}, '
    '"00081197": {"vr": "US", "Value": [272]}}]}}'
)
KEPT = (
    '{"00081198": {"vr": "SQ"}, '
    '"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.826.7.1.1.1"]}}]}}'
)
EMPTY = '{"00081198": {"vr": "SQ"}, "00081199": {"vr": "SQ"}}'


def answer(status, body="", **headers):
    def send(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return send


@pytest.mark.parametrize(
    ("status", "body", "stored_count", "said"),
    [
        (200, KEPT, 1, "stored 1 of 2 objects. It did not say why."),  # and names one object alone
        (202, REFUSED, 0, "stored 0 of 2 objects. Its reasons, by their DICOM codes: 0110."),
        (409, REFUSED, 0, "stored 0 of 2 objects. Its reasons, by their DICOM codes: 0110."),
        (200, EMPTY, 0, "did not say why"),
        (200, "", 0, "did not say why"),
    ],
)
def test_an_answer_that_is_not_all_well_is_told(stored, status, body, stored_count, said):
    with answering(answer(status, body, Content_Type=JSON)) as url:
        *_, told = Archive(ArchiveSettings(url)).store(objects(stored("1.2.826.7", 2)))
    assert (told.stored, told.sent, told.is_whole) == (stored_count, 2, False)
    assert said in told.sentence


def test_a_refusal_with_empty_lists_is_a_refusal(stored):
    """As Orthanc answers to what it cannot read."""
    said = r"\(status 400\)\. 0 objects were stored before"
    with (
        answering(answer(400, EMPTY, Content_Type=JSON)) as url,
        pytest.raises(DICOMwebError, match=said),
    ):
        list(Archive(ArchiveSettings(url)).store(objects(stored("1.2.826.7", 1))))


def silent(handler):
    time.sleep(3)


@pytest.mark.parametrize(
    ("kind", "body"), [(JSON, "[]"), (JSON, "{"), ("application/dicom+xml", "<x")]
)
def test_an_answer_that_is_none_is_said(stored, kind, body):
    with (
        answering(answer(200, body, Content_Type=kind)) as url,
        pytest.raises(DICOMwebError, match=r"not speak DICOMweb.*0 objects were stored before"),
    ):
        list(Archive(ArchiveSettings(url)).store(objects(stored("1.2.826.7", 1))))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (answer(302, Location="https://elsewhere.example.org/"), "sends on to another address"),
        (answer(401), "does not let this program in (status 401)"),
        (answer(403), "does not let this program in (status 403)"),
        (answer(503), "has trouble at the moment (status 503)"),
        (answer(400), "refuses what was asked for (status 400)"),
        (answer(200, "<html>", Content_Type="text/html"), "does not speak DICOMweb"),
        (answer(200, '["x"]', Content_Type=JSON), "does not speak DICOMweb"),
        (answer(200, '[{"0020000D": 3}]', Content_Type=JSON), "does not speak DICOMweb"),
        (answer(200, "[]", Content_Type=JSON, Warning=f"299 x {SECRET}"), None),
        (silent, "does not answer in time"),
    ],
)
def test_each_fault_is_said_and_names_no_patient(caplog, capfd, fault, said):
    caplog.set_level(logging.DEBUG)
    with answering(fault) as url:
        archive = Archive(ArchiveSettings(url, "u", "secret"), timeout=(1, 1))
        if said is None:
            assert archive.search(Query(patient_id=SECRET)) == ([], False)
        else:
            with pytest.raises(DICOMwebError) as error:
                archive.search(Query(patient_id=SECRET))
            assert said in str(error.value)
            assert "localhost" in str(error.value)
            assert SECRET not in str(error.value)
            assert error.value.__suppress_context__ or error.value.__context__ is None
    assert SECRET not in caplog.text + "".join(capfd.readouterr())


def test_a_certificate_that_is_not_trusted_is_said(own_certificate):
    with (
        answering(answer(200, "[]"), own_certificate) as url,
        pytest.raises(DICOMwebError, match="is not secure"),
    ):
        Archive(ArchiveSettings(url)).search(Query())


def test_an_archive_that_is_away_is_said():
    with pytest.raises(DICOMwebError, match="failed or broke off"):
        Archive(ArchiveSettings("http://localhost:1/dicom-web")).search(Query())


def test_a_wrong_password_is_said(named):
    with pytest.raises(DICOMwebError, match="does not let this program in"):
        Archive(ArchiveSettings(named.dicomweb, "covidct", "wrong")).search(Query())


@pytest.mark.parametrize("cut", [10, 300, -1, -3, -6])
def test_an_answer_that_breaks_off_gives_no_series(stored, cut):
    part = b"\r\n--XX\r\nContent-Type: application/dicom\r\n\r\n"
    body = b"".join(part + data for data in stored("1.2.826.8", 2)) + b"\r\n--XX--"

    def send(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/related; boundary=XX")
        handler.end_headers()
        handler.wfile.write(body[:cut])

    series = ArchivedSeries("1.2", "1", "", "CT", "", "", 2)
    said = r"broke off.*Nothing of the series was kept"
    with answering(send) as url, pytest.raises(DICOMwebError, match=said):
        list(Archive(ArchiveSettings(url)).fetch(series))


@pytest.mark.parametrize(
    "text", ["31.1.2026", "2026", "20260131-", "20260131-2026", "*", "１２３４0101"]
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ConfigError, match="2026-01-31"):
        date_range(text)
