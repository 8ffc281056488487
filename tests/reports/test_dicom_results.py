import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import cv2
import highdicom as hd
import numpy as np
import pytest
from highdicom.sr import srread
from patient import IDENTITY
from pydicom import config, dcmread, uid
from pydicom.dataset import Dataset

from covidct.errors import ExportError
from covidct.imaging.dicom.header import read_header
from covidct.imaging.dicom.orientation import upright
from covidct.inference.cases import groups_at, groups_in
from covidct.inference.classifier import Classifier
from covidct.inference.heatmap import heat_map
from covidct.inference.judge import Judged, SeriesJudged, judge
from covidct.inference.opacities import opacities_of
from covidct.reports.dicom import codes
from covidct.reports.dicom.sources import source_slices
from covidct.reports.dicom_results import KINDS, results_of_series
from covidct.reports.secondary_capture import file_of

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
TILTED = [1, 0, 0, 0, 0.939693, 0.34202]  # as by a gantry
ROTATED = [0.984808, 0.173648, 0, -0.173648, 0.984808, 0]
PRONE = [-1, 0, 0, 0, -1, 0]
ON_ITS_SIDE = [0, 1, 0, -1, 0, 0]
PLACED = {"SeriesInstanceUID": "1.2.840.99.2", "FrameOfReferenceUID": "1.2.840.99.3"}


@pytest.fixture(scope="module")
def classifier():
    return Classifier.load()


@pytest.fixture(scope="module")
def ct(ct_header, ct_file, volume):
    """A file of one slice of a series that lacks nothing."""

    def write(number, cosines=(1, 0, 0, 0, 1, 0), **elements):
        normal = np.cross(cosines[:3], cosines[3:])
        corner = np.round([-100.0, -90.0, 30.0] + 2.5 * number * normal, 4)
        said = {
            "SOPInstanceUID": f"1.2.840.99.4.{number + 1}",
            "ImageOrientationPatient": list(cosines),
            "ImagePositionPatient": corner.tolist(),
            "SliceThickness": "2.5",
        }
        header = ct_header(number, **(said | IDENTITY | PLACED | elements))
        turn = upright(read_header(ct_file(header, volume[number])))
        return ct_file(header, np.ascontiguousarray(turn.undone(volume[number])))

    return write


@pytest.fixture(scope="module")
def in_one_file(ct_header, ct_file, volume):
    """The same as an enhanced CT of several frames, from the head to the feet."""
    moved = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"))
    header = ct_header(0, **moved, **IDENTITY, **PLACED, NumberOfFrames="4")
    header.SOPClassUID, header.SOPInstanceUID = uid.EnhancedCTImageStorage, "1.2.840.99.4.1"
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.8], "2.5"
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    header.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for height in (40.0, 37.5, 35.0, 30.0):
        position, group = Dataset(), Dataset()
        position.ImagePositionPatient = [-100.0, -90.0, height]
        group.PlanePositionSequence = [position]
        frames.append(group)
    header.PerFrameFunctionalGroupsSequence = frames
    return ct_file(header, volume[3::-1])


@pytest.fixture(scope="module")
def arrangement(ct, in_one_file):
    """Files of slices by what is peculiar to them."""
    return {
        "in order": [ct(number) for number in range(4)],
        "reversed, with a gap": [ct(number) for number in (6, 5, 3, 1)],
        "one slice": [ct(1)],
        "tilted": [ct(number, TILTED) for number in range(3)],
        "rotated": [ct(number, ROTATED) for number in range(3)],
        "prone": [ct(number, PRONE) for number in range(3)],
        "on its side": [ct(number, ON_ITS_SIDE) for number in range(3)],
        "in one file": [in_one_file],
        "without opacities": [ct(0), ct(3)],
    }


ARRANGEMENTS = (
    *("in order", "reversed, with a gap", "one slice", "tilted", "rotated", "prone"),
    *("on its side", "in one file", "without opacities"),
)


@pytest.fixture(scope="module")
def judged(classifier, arrangement):
    """The outcomes of an arrangement, pixels and all, and its objects as files; made once."""
    made = {}

    def of(name):
        if name not in made:
            outcomes = list(judge_files(classifier, arrangement[name]))
            objects = results_of_series(classifier, outcomes)
            made[name] = outcomes, [file_of(one) for one in objects]
        return made[name]

    return of


def judge_files(classifier, files):
    ((_, found),) = judge(classifier, groups_in((f"{i}.dcm", data) for i, data in enumerate(files)))
    yield from found


def slices(outcomes):
    return [one for one in outcomes if isinstance(one, Judged)]


def read(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config.settings, "reading_validation_mode", config.RAISE)
        dataset = dcmread(BytesIO(data))
        dataset.decode()
        for element in dataset.iterall():
            assert element.value is not NotImplemented
        return dataset


def of_kind(files, kind):
    return [data for data in files if dcmread(BytesIO(data)).SOPClassUID == kind]


def frame_header(one):
    return read_header(one.case.file.read()).of_frame((one.case.place.frame or 1) - 1)


def source_of(frame):
    """UID and frame of the slice that a frame names as its source."""
    (image,) = frame.DerivationImageSequence[0].SourceImageSequence
    return image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")


def name_of(one):
    return frame_header(one).text("SOPInstanceUID"), one.case.place.frame


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_the_segments_are_our_masks_bit_by_bit_on_the_slices_own_planes(judged, name):
    outcomes, files = judged(name)
    (data,) = of_kind(files, uid.SegmentationStorage)
    segmentation = hd.seg.segread(BytesIO(data))
    by_name = {name_of(one): one for one in slices(outcomes)}
    seen = set()
    for frame, bits in zip(
        segmentation.PerFrameFunctionalGroupsSequence,
        np.atleast_3d(segmentation.pixel_array.T).T,
        strict=True,
    ):
        one = by_name[source_of(frame)]
        header = frame_header(one)
        corner = frame.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(corner, header.numbers("ImagePositionPatient", 3), atol=1e-6)
        ct_slice, _ = one.seen
        opaque = opacities_of(ct_slice).mask
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        expected = opaque if number == 1 else ct_slice.lung_mask & ~opaque
        assert np.array_equal(upright(header).of(bits.astype(bool)), expected)
        seen.add((source_of(frame), number))
    for source, one in by_name.items():
        assert (source, 2) in seen
        assert ((source, 1) in seen) == opacities_of(one.seen[0]).mask.any()
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    assert list(shared.PixelMeasuresSequence[0].PixelSpacing) == [0.7, 0.8]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert np.allclose(orientation, header.numbers("ImageOrientationPatient", 6))
    assert segmentation.FrameOfReferenceUID == PLACED["FrameOfReferenceUID"]


def test_opacities_are_there_to_be_found(judged):
    shares = {
        name: [one.opacities.share_of_lung for one in slices(judged(name)[0])]
        for name in ("in order", "tilted", "prone", "without opacities")
    }
    assert max(shares["without opacities"]) < 0.01
    assert all(max(shares[name]) > 0.02 for name in shares if name != "without opacities")


@pytest.mark.parametrize("name", ["in order", "tilted", "on its side", "in one file"])
def test_the_map_is_the_heat_map_and_lies_where_it_lies(classifier, judged, name):
    outcomes, files = judged(name)
    (data,) = of_kind(files, uid.ParametricMapStorage)
    made = read(data)
    by_name = {name_of(one): one for one in slices(outcomes)}
    frames = made.PerFrameFunctionalGroupsSequence
    assert {source_of(frame) for frame in frames} == by_name.keys()
    measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    for frame, values in zip(frames, made.pixel_array, strict=True):
        one = by_name[source_of(frame)]
        header = frame_header(one)
        heat = heat_map(classifier, one.seen[1]).values
        signed = heat if one.prediction.is_positive else -heat
        stored = np.ascontiguousarray(upright(header).undone(signed))
        reduced = cv2.resize(stored, values.shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.array_equal(values, reduced)
        corner = frame.PlanePositionSequence[0].ImagePositionPatient
        middle = centre(np.abs(values), corner, measures, header)
        own = centre(np.abs(stored), header.numbers("ImagePositionPatient", 3), (0.7, 0.8), header)
        assert np.allclose(middle, own, atol=0.05)


def centre(values, corner, spacing, header):
    """The centre of gravity of a map in patient coordinates, in millimetres."""
    along_row, along_column = np.reshape(header.numbers("ImageOrientationPatient", 6), (2, 3))
    rows, columns = np.indices(values.shape)
    row, column = (np.average(grid, weights=values) for grid in (rows, columns))
    return np.array(corner) + row * spacing[0] * along_column + column * spacing[1] * along_row


def test_the_map_says_what_its_values_are(judged):
    (data,) = of_kind(judged("in order")[1], uid.ParametricMapStorage)
    shared = read(data).SharedFunctionalGroupsSequence[0]
    mapping = shared.RealWorldValueMappingSequence[0]
    assert "for COVID-19" in mapping.LUTExplanation
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    (quantity,) = mapping.QuantityDefinitionSequence
    assert quantity.ConceptCodeSequence[0].CodeValue == codes.GRAD_CAM.value


def numbers(group):
    """Values by name and place."""
    found = {}
    for measurement in group.get_measurements():
        sites = (site.value.value for site in measurement.finding_sites)
        found[measurement.name.value, *sites] = measurement.value
    return found


@pytest.mark.parametrize("name", ["in order", "in one file"])
def test_the_report_has_the_figures_of_the_series(judged, classifier, name):
    outcomes, files = judged(name)
    (whole,) = (one for one in outcomes if isinstance(one, SeriesJudged))
    (data,) = of_kind(files, uid.EnhancedSRStorage)
    content = srread(BytesIO(data)).content
    (verdict,) = content.get_image_measurement_groups()
    (opacities,) = content.get_volumetric_roi_measurement_groups()
    assert numbers(verdict) == {
        (codes.PROBABILITY.value,): whole.prediction.probability,
        (codes.OPERATING_POINT.value,): whole.prediction.operating_point,
    }
    (decision,) = verdict.get_qualitative_evaluations()
    assert decision.name == codes.COVID_19
    assert decision.value == codes.DECISIONS[whole.prediction.decision]
    extent = codes.OPACITY_OF_VOLUME.value
    assert numbers(opacities) == {
        (extent, codes.LUNG.value): 100 * whole.opacities.volume_share,
        **{
            (extent, zone.value): 100 * share
            for zone, share in zip(codes.ZONES, whole.opacities.zone_shares, strict=True)
        },
        (codes.SEVERITY.value,): whole.opacities.severity,
    }
    (sides,) = opacities.get_qualitative_evaluations()
    assert sides.value == codes.SIDES[whole.opacities.sides]


def test_the_report_on_one_slice_has_its_figures(judged):
    outcomes, files = judged("one slice")
    (one,) = slices(outcomes)
    (data,) = of_kind(files, uid.EnhancedSRStorage)
    content = srread(BytesIO(data)).content
    (verdict,) = content.get_image_measurement_groups()
    (opacities,) = content.get_volumetric_roi_measurement_groups()
    assert numbers(verdict)[codes.PROBABILITY.value,] == one.prediction.probability
    assert numbers(opacities) == {
        (codes.OPACITY_OF_AREA.value, codes.LUNG.value): 100 * one.opacities.share_of_lung
    }


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_the_report_measures_the_segment_of_opacities(judged, name):
    _, files = judged(name)
    (data,) = of_kind(files, uid.EnhancedSRStorage)
    (drawn,) = map(read, of_kind(files, uid.SegmentationStorage))
    report = srread(BytesIO(data))
    content = report.content
    of_segments = [
        group.referenced_segment for group in content.get_volumetric_roi_measurement_groups()
    ]
    if name == "without opacities":
        assert not of_segments
        assert len(content.get_image_measurement_groups()) == 2
        return
    ((reference, *_),) = of_segments
    assert reference.referenced_sop_instance_uid == drawn.SOPInstanceUID
    assert drawn.SegmentSequence[0].SegmentLabel == "Opacities"
    assert reference.referenced_segment_numbers == [drawn.SegmentSequence[0].SegmentNumber]
    held = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert drawn.SeriesInstanceUID in {series.SeriesInstanceUID for series in held}


def test_a_report_alone_refers_to_the_slices(classifier, arrangement):
    outcomes = list(judge_files(classifier, arrangement["in order"]))
    (report,) = results_of_series(classifier, outcomes, ["sr"])
    groups = srread(BytesIO(file_of(report))).content.get_image_measurement_groups()
    assert [len(group.source_images) for group in groups] == [4, 4]


def test_the_report_names_the_model_the_slices_and_the_research_use(judged, classifier):
    outcomes, files = judged("in order")
    (data,) = of_kind(files, uid.EnhancedSRStorage)
    report = srread(BytesIO(data))
    (context,) = report.content.get_observer_contexts()
    observer = context.observer_identifying_attributes
    assert observer.serial_number == report.DeviceSerialNumber == classifier.card.sha256
    assert observer.model_name == classifier.card.name
    (verdict,) = report.content.get_image_measurement_groups()
    (comment,) = (
        item.TextValue
        for item in verdict[0].ContentSequence
        if item.ValueType == "TEXT" and item.name == codes.COMMENT
    )
    assert "Research use only." in comment
    assert "not a diagnosis" in comment
    assert {image.referenced_sop_instance_uid for image in verdict.source_images} == {
        name for name, _ in map(name_of, slices(outcomes))
    }


def test_the_segments_name_the_network_and_its_hash(judged, classifier):
    (data,) = of_kind(judged("in order")[1], uid.SegmentationStorage)
    segmentation = hd.seg.segread(BytesIO(data))
    opacities, lungs = segmentation.SegmentSequence
    assert opacities.segmented_property_type == codes.OPACITY
    assert lungs.segmented_property_type == codes.LUNG
    for segment in (opacities, lungs):
        assert segment.algorithm_identification.version == classifier.card.segmentation
    assert segmentation.DeviceSerialNumber == classifier.card.sha256
    assert segmentation.ContentQualification == "RESEARCH"


def test_all_kinds_are_of_the_patient_and_study_of_their_source(judged):
    for data in judged("in order")[1]:
        made = read(data)
        for keyword in IDENTITY.keys() - {"SpecificCharacterSet"}:
            assert str(made[keyword].value) == IDENTITY[keyword], keyword
        assert made.SeriesInstanceUID != PLACED["SeriesInstanceUID"]
        assert "research use" in made.SeriesDescription


def test_what_is_asked_for_is_made_and_each_object_is_another(classifier, judged):
    outcomes, files = judged("in order")
    kinds = [read(data).Modality for data in files]
    assert kinds == ["OT"] * 4 + ["SEG", "SR", "OT"]
    assert len({read(data).SOPInstanceUID for data in files}) == len(files)
    summaries = [one.summary() if isinstance(one, Judged) else one for one in outcomes]
    (report,) = results_of_series(classifier, summaries, ["sr"])
    assert report.Modality == "SR"
    assert not list(results_of_series(classifier, outcomes, []))


def test_identifiers_that_break_the_standard_are_kept_as_they_are(classifier, ct):
    odd = {"PatientSex": "W", "PatientBirthDate": "1960", "StudyTime": "9"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
        patch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
        outcomes = list(judge_files(classifier, [ct(1, **odd)]))
    for made in results_of_series(classifier, outcomes, ["seg", "sr", "map"]):
        again = dcmread(BytesIO(file_of(made)))
        assert {keyword: str(again[keyword].value) for keyword in odd} == odd


ODD = {
    "long decimals": {"PixelSpacing": [0.7 + 1e-15, 2 / 3]},
    "no thickness": {"SliceThickness": None},
    "lossy": {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": [10.5, 2],
        "LossyImageCompressionMethod": ["ISO_10918_1", "ISO_15444_1"],
    },
    "lossy, no more said": {"LossyImageCompression": "01"},
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_headers_do_no_harm(classifier, ct, odd, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
        patch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
        files = [ct(number, **ODD[odd]) for number in (1, 2)]
    outcomes = list(judge_files(classifier, files))
    for made in results_of_series(classifier, outcomes, KINDS[1:]):
        again = read(file_of(made))
        assert again.get("LossyImageCompression", "00") == (
            "01" if "lossy" in odd and again.Modality != "SR" else "00"
        )
        (tmp_path / f"{made.Modality}.dcm").write_bytes(file_of(made))
    if shutil.which("dciodvfy"):
        check(tmp_path)


def check(folder):
    """Let dicom3tools look at all files of a folder."""
    for file in folder.iterdir():
        done = subprocess.run(["dciodvfy", file], capture_output=True, text=True)
        assert "Error" not in done.stderr, done.stderr


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dicom3tools is not installed")
@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_dciodvfy_finds_no_error(judged, tmp_path, name):
    for number, data in enumerate(judged(name)[1]):
        (tmp_path / f"{number}.dcm").write_bytes(data)
    check(tmp_path)


LACKING = {
    "orientation, position and pixel spacing": (
        {"ImageOrientationPatient": None},
        {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
        {"PixelSpacing": None},
    ),
    "valid UIDs": (
        {"StudyInstanceUID": "1bc8b288-610b-4001-aac8-f814641169da"},
        {"SOPInstanceUID": None},
    ),
    "a frame of reference": ({"FrameOfReferenceUID": None},),
    "the storage class of CT images": ({"SOPClassUID": uid.NuclearMedicineImageStorage},),
    "a place of its own for each of them": ({"ImagePositionPatient": [-100.0, -90.0, 30.0]},),
}


@pytest.mark.parametrize(
    ("lacking", "elements"),
    [(lacking, elements) for lacking, cases in LACKING.items() for elements in cases],
)
def test_what_headers_lack_is_told(ct, lacking, elements, monkeypatch):
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
    (group,) = groups_in((f"{number}.dcm", ct(number, **elements)) for number in range(2))
    assert refusal(group.cases) == [lacking]


def refusal(cases):
    """What headers are said to lack."""
    with pytest.raises(ExportError, match="only secondary captures can be made") as error:
        source_slices(cases)
    return str(error.value).split("(")[1].split(")")[0].split("; ")


@pytest.mark.parametrize(
    ("elements", "lacking"),
    [
        ({"StudyInstanceUID": "1.2.840.99.77"}, "one study and series for all of them"),
        ({"SOPInstanceUID": "1.2.840.99.4.1"}, "a UID of its own for each of them"),
        ({"cosines": TILTED}, "one size, spacing and orientation for all of them"),
        ({"PixelSpacing": [0.7, 0.7]}, "one size, spacing and orientation for all of them"),
    ],
)
def test_slices_that_differ_are_told(ct, elements, lacking):
    groups = groups_in([("0.dcm", ct(0)), ("1.dcm", ct(1, **elements))])
    cases = [case for group in groups for case in group.cases]
    assert refusal(cases) == [lacking]


def test_several_reasons_are_told_together_and_pictures_have_no_headers(ct, no_lungs):
    bare = {"FrameOfReferenceUID": None, "SOPInstanceUID": None, "PixelSpacing": None}
    (group,) = groups_in([("0.dcm", ct(0, **bare))])
    assert len(refusal(group.cases)) == 3
    (picture,) = groups_in([("0.png", no_lungs)])
    assert refusal(picture.cases) == ["DICOM headers"]


@pytest.mark.parametrize("number", ["one", "several"])
def test_what_cannot_be_made_is_refused_at_once_but_captures_can_be_had(classifier, ct, number):
    files = [ct(i, FrameOfReferenceUID=None) for i in range(1, 2 if number == "one" else 3)]
    outcomes = list(judge_files(classifier, files))
    with pytest.raises(ExportError, match="a frame of reference"):
        results_of_series(classifier, outcomes, KINDS)
    captures = list(results_of_series(classifier, outcomes, ["sc"]))
    assert len(captures) == len(files)
    assert all(capture.PatientID == IDENTITY["PatientID"] for capture in captures)


def test_nothing_is_made_of_a_series_without_verdicts(classifier, ct_file, ct_header, neck):
    refused = list(judge_files(classifier, [ct_file(ct_header(0), neck)]))
    with pytest.raises(ExportError, match="No slice"):
        results_of_series(classifier, refused)


@pytest.mark.parametrize(
    ("folder", "lacking"),
    [
        ("dicom-ct-series/series", ["orientation, position and pixel spacing"]),
        ("hu-series/covid", ["valid UIDs", "a frame of reference"]),
    ],
)
def test_why_the_shared_series_give_captures_alone_is_told(folder, lacking):
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not on this machine")
    (group,) = (group for group in groups_at([SHARED_DATA / folder]) if group.is_series)
    assert refusal(group.cases) == lacking
