import shutil
import subprocess
from io import BytesIO

import numpy as np
import pytest
from patient import IDENTITY
from pydicom import config, dcmread
from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage

from covidct.errors import UnreadableSlice
from covidct.inference.heatmap import overlay
from covidct.reports.secondary_capture import CaptureSeries, file_of

# PS3.3 table A.8-1 and the modules it calls for: must have a value, must be there.
TYPE_1 = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("ConversionType", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PlanarConfiguration"),
    "PixelData",
)
TYPE_2 = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("ReferringPhysicianName", "StudyID", "AccessionNumber", "SeriesNumber", "InstanceNumber"),
    *("PatientOrientation", "Manufacturer"),
)


@pytest.fixture(scope="module")
def picture(page):
    return overlay(page.ct_slice, page.heat)


@pytest.fixture
def source(ct_header, ct_file, volume):
    def write(**elements):
        return ct_file(ct_header(0, **(IDENTITY | elements)), volume[0])

    return write


@pytest.fixture
def captures(card, made):
    return CaptureSeries(card, made)


def read(capture):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config.settings, "reading_validation_mode", config.RAISE)
        dataset = dcmread(BytesIO(file_of(capture)))
        dataset.decode()
        for element in dataset.iterall():
            assert element.value is not NotImplemented
        return dataset


def test_the_overlay_comes_back_exactly(captures, picture):
    assert picture.size % 2
    capture = read(captures.capture(picture, 1))
    assert np.array_equal(capture.pixel_array, picture)
    assert capture.PhotometricInterpretation == "RGB"


def test_it_says_that_it_is_derived_and_by_what(captures, picture, card):
    capture = read(captures.capture(picture, 7, (0.7, 0.8)))
    assert capture.SOPClassUID == SecondaryCaptureImageStorage
    assert list(capture.ImageType) == ["DERIVED", "SECONDARY"]
    assert card.model_id in capture.DerivationDescription
    assert card.sha256 in capture.DerivationDescription
    assert "Research use only" in capture.DerivationDescription
    assert capture.InstanceNumber == 7
    assert list(capture.PixelSpacing) == [0.7, 0.8]


@pytest.mark.parametrize("kept", [False, True])
def test_all_attributes_that_the_standard_asks_for_are_there(captures, picture, source, kept):
    capture = read(captures.capture(picture, 1, source=source() if kept else None))
    for keyword in TYPE_1:
        assert capture[keyword].value not in (None, ""), keyword
    for keyword in TYPE_2:
        assert keyword in capture, keyword


def test_captures_of_a_series_share_series_and_study_and_nothing_else(
    captures, picture, card, made
):
    first, second = (read(captures.capture(picture, number)) for number in (1, 2))
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    other = read(CaptureSeries(card, made).capture(picture, 1))
    assert other.SeriesInstanceUID != first.SeriesInstanceUID
    assert other.StudyInstanceUID != first.StudyInstanceUID


def test_without_being_asked_it_holds_no_identifiers(captures, picture):
    capture = read(captures.capture(picture, 1))
    for keyword in IDENTITY.keys() - {"SpecificCharacterSet", "StudyInstanceUID"}:
        assert not capture.get(keyword), keyword
    assert "SourceImageSequence" not in capture


def test_asked_to_it_keeps_patient_and_study_and_names_its_source(captures, picture, source):
    data = source()
    original = dcmread(BytesIO(data))
    capture = read(captures.capture(picture, 1, source=data, frame=2))
    for keyword in IDENTITY.keys() - {"SpecificCharacterSet"}:
        assert str(capture[keyword].value) == IDENTITY[keyword], keyword
    assert capture.SeriesInstanceUID != original.SeriesInstanceUID
    assert capture.SOPInstanceUID != original.SOPInstanceUID
    (reference,) = capture.SourceImageSequence
    assert reference.ReferencedSOPClassUID == CTImageStorage
    assert reference.ReferencedSOPInstanceUID == original.SOPInstanceUID
    assert reference.ReferencedFrameNumber == 2
    assert np.array_equal(capture.pixel_array, picture)


def test_names_in_another_script_come_through(captures, picture, source):
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    data = source(
        SpecificCharacterSet=["", "ISO 2022 IR 87"],
        PatientName=name,
        ReferringPhysicianName=None,
    )
    capture = read(captures.capture(picture, 1, source=data))
    assert str(capture.PatientName) == name
    assert capture.SpecificCharacterSet == "ISO_IR 192"


@pytest.mark.parametrize(
    ("said", "kind", "expected"),
    [
        (None, ["ORIGINAL", "PRIMARY"], "NO"),
        ("YES", ["ORIGINAL", "PRIMARY"], "YES"),
        (None, ["DERIVED", "SECONDARY"], None),
    ],
)
def test_letters_in_the_picture_are_denied_only_where_that_is_known(
    captures, picture, source, said, kind, expected
):
    data = source(ImageType=kind, BurnedInAnnotation=said) if said else source(ImageType=kind)
    capture = read(captures.capture(picture, 1, source=data))
    assert capture.get("BurnedInAnnotation") == expected


def test_a_header_that_lacks_all_leaves_it_valid(captures, picture, source):
    data = source(**dict.fromkeys(IDENTITY.keys(), None), SOPInstanceUID=None)
    capture = read(captures.capture(picture, 1, source=data))
    assert capture.StudyInstanceUID == captures.study_uid
    assert not capture.PatientName


def test_a_damaged_header_is_refused_or_read_and_its_content_never_told(captures, picture, source):
    data = bytearray(source()[:700])
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = data[: rng.integers(140, len(data))]
        for place in rng.integers(132, len(damaged) + 1, 12):
            damaged[place:place] = rng.bytes(1)
        try:
            file_of(captures.capture(picture, 1, source=bytes(damaged)))
        except UnreadableSlice as error:
            refused += 1
            assert str(error) == "The identifiers in the header of the DICOM file cannot be read."
            assert error.__suppress_context__
    assert refused


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dicom3tools is not installed")
@pytest.mark.parametrize("kept", [False, True])
def test_dciodvfy_finds_no_error(captures, picture, source, tmp_path, kept):
    file = tmp_path / "capture.dcm"
    capture = captures.capture(picture, 1, (0.7, 0.8), source() if kept else None)
    file.write_bytes(file_of(capture))
    done = subprocess.run(["dciodvfy", file], capture_output=True, text=True)
    assert "Error" not in done.stderr, done.stderr
    assert "SCImage" in done.stderr
