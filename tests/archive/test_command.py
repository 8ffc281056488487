"""The command line beside a real archive."""

import json
from collections import Counter
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import (
    EnhancedSRStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from covidct.archive.fetch import parts_of
from covidct.archive.query import Query


def read(data):
    return dcmread(BytesIO(data))


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def verdicts(run_here):
    return lambda *arguments: run_here(*arguments, "--json")


def test_search_prints_a_line_a_series(run_here, named, stored):
    named.put(*stored("1.2.827.1", StudyDate="20260131", PatientID="c1"))
    told = {
        "series": "1.2.827.1.1.1",
        "study": "1.2.827.1.1",
        "patient_id": "c1",
        "modality": "CT",
        "date": "2026-01-31",
        "description": "Thorax",
        "slices": 7,
    }
    for options in (["--patient", "c1"], ["--patient", "c1", "--date", "20260101-20260201"]):
        done = run_here("archive", "search", *options, "--json")
        assert (done.returncode, done.stderr, lines(done)) == (0, "", [told])
    done = run_here("archive", "search", "--patient", "c1")
    assert "1.2.827.1.1.1" in done.stdout
    assert lines(run_here("archive", "search", "--patient", "nobody", "--json")) == []


def test_a_series_gets_the_verdicts_that_its_files_get(named, stored, verdicts, tmp_path):
    files = stored("1.2.827.2", RescaleType="HU")
    named.put(*files)
    for number, data in enumerate(files):
        (tmp_path / f"{number}.dcm").write_bytes(data)
    here, there = (
        verdicts("classify", tmp_path),
        verdicts("archive", "classify", "--series", "1.2.827.2.1.1"),
    )
    assert (there.returncode, there.stderr) == (0, "")
    names = {"file", "series"}
    assert [{k: line[k] for k in line.keys() - names} for line in lines(there)] == [
        {k: line[k] for k in line.keys() - names} for line in lines(here)
    ]
    assert "1.2.827" not in there.stdout
    assert "patient" not in there.stdout


def test_a_scan_that_lies_under_two_studies_is_one(named, archive, stored, verdicts):
    """As converters write it that make UIDs of the time of day, modality NM and all."""
    common = {"Modality": "NM", "PatientID": "c3", "SeriesNumber": "8"}
    files = stored("1.2.827.3", **common)
    later = stored("1.2.827.4", **common)
    follow_up = stored("1.2.827.5", **common)
    named.put(*files[:2], *later[2:], *follow_up[1:])
    verdict = verdicts("archive", "classify", "--series", "1.2.827.4.1.1")
    whole = [line for line in lines(verdict) if "series" in line]
    assert [line["slices"] for line in whole] == [7]
    assert "split this scan into several series" in verdict.stderr
    listed, _ = archive.search(Query(patient_id="c3"))
    assert len(listed) == 3
    first = archive.find("1.2.827.3.1.1")
    assert [part.series for part in parts_of(archive, first)] == [first.series, "1.2.827.4.1.1"]


def test_what_lies_beside_the_slices_is_set_aside(named, stored, verdicts):
    files = stored("1.2.827.6")
    report = stored("1.2.827.6", 8, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")[-1]
    named.put(*files, report)
    done = verdicts("archive", "classify", "--series", "1.2.827.6.1.1")
    assert done.returncode == 0
    (aside,) = (line for line in lines(done) if "set_aside" in line)
    assert "Comprehensive SR" in aside["set_aside"]


def test_without_an_archive_or_a_series_the_command_says_so(run_here, named, monkeypatch, tmp_path):
    missing = run_here("archive", "classify", "--series", "1.2.3.4.5", "--json")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "no series of this UID" in missing.stderr
    monkeypatch.delenv("COVIDCT_DICOMWEB")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    nowhere = run_here("archive", "search")
    assert nowhere.returncode == 1
    assert "No archive is named" in nowhere.stderr


def test_the_shared_series_is_one_body(named, covid_ct, verdicts):
    folder = covid_ct.parent / "dicom-ct-series" / "series"
    files = sorted(folder.iterdir())
    named.put(*(file.read_bytes() for file in files))
    uid = dcmread(files[0], specific_tags=["SeriesInstanceUID"]).SeriesInstanceUID
    from_archive = verdicts("archive", "classify", "--series", uid)
    from_files = verdicts("classify", folder)
    (there,), (here,) = (
        [line for line in lines(done) if "series" in line] for done in (from_archive, from_files)
    )
    assert {**there, "series": ""} == {**here, "series": ""}


def test_results_go_into_the_study_of_the_slices(named, stored, run_here):
    study = {"StudyInstanceUID": "1.2.827.7.1"}
    named.put(*stored("1.2.827.7"))
    done = run_here("archive", "send", "--series", "1.2.827.7.1.1", "--what", "sc,seg,sr,map")
    assert (done.returncode, done.stderr) == (0, "")
    assert "10 objects go into the study of the slices and bear their patient." in done.stdout
    assert "The archive stored all 10 objects." in done.stdout
    assert "Secret" not in done.stdout and "1.2.827" not in done.stdout
    made = [
        one for one in map(read, named.files(**study)) if one.SeriesInstanceUID != "1.2.827.7.1.1"
    ]
    assert Counter(one.SOPClassUID for one in made) == {
        SecondaryCaptureImageStorage: 7,
        SegmentationStorage: 1,
        EnhancedSRStorage: 1,
        ParametricMapStorage: 1,
    }
    assert {str(one.PatientName) for one in made} == {"Secret^Patient"}


def test_what_is_sent_is_of_the_kinds_that_there_are(run_here, named):
    done = run_here("archive", "send", "--series", "1.2", "--what", "sc,pdf")
    assert done.returncode == 2
    assert "no pdf; there are sc, seg, sr, map" in done.stderr


def test_where_no_slice_was_classified_nothing_is_sent(named, stored, run_here, neck):
    report = stored("1.2.827.8", 1, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    other = stored("1.2.827.9", 1, values=[neck])
    for root, files in (("1.2.827.8", report), ("1.2.827.9", other)):
        named.put(*files)
        series = ("--series", f"{root}.1.1", "--what", "sc")
        done = run_here("archive", "send", *series)
        assert done.returncode == 1
        assert "so there are no results" in done.stderr
        assert named.files(StudyInstanceUID=f"{root}.1") == files
