import contextlib
import io
import random
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage

from covidct.errors import ArchiveError, UnreadableSlice
from covidct.imaging.dicom import misfits, ordering
from covidct.imaging.dicom.window import LUNG
from covidct.imaging.file import File
from covidct.imaging.gather import Picture, Stranger, gather
from covidct.imaging.readers import read_slice
from covidct.imaging.series import Place, Series
from covidct.imaging.sources import files_at, uploaded

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "dicom-ct-series" / "series"
HEIGHTS = [30.0 + 2.5 * i for i in range(7)]
PNG = b"\x89PNG\r\n\x1a\n and then nothing"


def files(contents) -> list[File]:
    """Files of names and contents, or of contents alone."""
    named = contents.items() if isinstance(contents, dict) else enumerate(contents)
    return [File(str(name), lambda data=data: data) for name, data in named]


def only(groups: list) -> Series:
    (series,) = groups
    assert isinstance(series, Series)
    return series


def pixels(series: Series) -> list[np.ndarray]:
    return [ct_slice.pixels for ct_slice in series]


def heights(series: Series) -> list[float | None]:
    return [place.position_mm for place in series.places]


@pytest.fixture(scope="module")
def expected(scan) -> list[np.ndarray]:
    return [read_slice(data).pixels for data in scan]


@pytest.fixture
def changed(volume, ct_header, ct_file):
    """The files of the series with some elements of every header changed."""

    def make(**elements) -> list[bytes]:
        return [
            ct_file(
                ct_header(i, **{k: v(i) if callable(v) else v for k, v in elements.items()}),
                values,
            )
            for i, values in enumerate(volume)
        ]

    return make


@pytest.fixture
def enhanced(volume, ct_header, ct_file):
    """All slices as frames of one file, last first, with geometry and rescale by frame."""

    def make(syntax=uid.ExplicitVRLittleEndian, frames=None, **options) -> bytes:
        moved = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
        rescale = dict.fromkeys(("RescaleIntercept", "RescaleSlope"))
        header = ct_header(0, **dict.fromkeys(moved), **rescale, NumberOfFrames=str(len(volume)))
        header.SOPClassUID = EnhancedCTImageStorage
        measures, orientation = Dataset(), Dataset()
        measures.PixelSpacing = [0.7, 0.8]
        orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        shared = Dataset()
        shared.PixelMeasuresSequence = [measures]
        shared.PlaneOrientationSequence = [orientation]
        header.SharedFunctionalGroupsSequence = Sequence([shared])
        header.PerFrameFunctionalGroupsSequence = Sequence()
        for number in reversed(range(len(volume))):
            position, values, group = Dataset(), Dataset(), Dataset()
            position.ImagePositionPatient = [-100.0, -90.0, HEIGHTS[number]]
            values.RescaleIntercept, values.RescaleSlope = str(-1350 - number), "1"
            values.RescaleType = "HU"
            group.PlanePositionSequence = [position]
            group.PixelValueTransformationSequence = [values]
            header.PerFrameFunctionalGroupsSequence.append(group)
        stored = volume[::-1] + np.arange(len(volume), dtype=np.uint16)[::-1, None, None]
        if frames:
            frames = [frames(frame) for frame in stored]
        order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
        return ct_file(header, stored.astype(f"{order}u2"), syntax, frames, **options)

    return make


def test_files_in_any_order_and_of_any_name_come_in_the_order_of_the_body(scan, expected):
    names = ["IM0", "b.txt", "1.2.840", "slice 10", "slice 9", "DICOMDIR", "ü%0"]
    shuffled = list(zip(names, scan, strict=True))
    random.Random(3).shuffle(shuffled)
    series = only(gather(files(dict(shuffled))))
    assert [place.file for place in series.places] == names
    assert heights(series) == HEIGHTS
    assert np.array_equal(pixels(series), expected)
    assert (series.notes, series.set_aside, series.number, len(series)) == ((), (), 4, 7)
    assert np.array_equal(LUNG.apply(series.read_hounsfield(2)), expected[2])


def test_position_counts_and_instance_numbers_do_not(changed, expected):
    series = only(gather(files(changed(InstanceNumber=lambda i: str(7 - i)))))
    assert np.array_equal(pixels(series), expected)


@pytest.mark.parametrize("rows", [[1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, 1, 0]])
def test_a_tilted_gantry_is_axial_and_the_head_comes_last(changed, expected, rows):
    tilt = np.radians(20)
    cosines = [*rows[:3], 0, float(np.cos(tilt)), float(np.sin(tilt))]
    series = only(gather(files(changed(ImageOrientationPatient=cosines)[::-1])))
    assert np.array_equal(pixels(series), [greys[:, :: rows[0]] for greys in expected])
    assert np.all(np.diff(heights(series)) == pytest.approx(2.5 * np.cos(tilt), abs=2e-3))


def test_a_missing_slice_is_said_and_changes_nothing_else(scan, expected):
    series = only(gather(files(scan[:2] + scan[3:])))
    assert np.array_equal(pixels(series), expected[:2] + expected[3:])
    (note,) = series.notes
    assert "One slice seems to be missing" in note
    (note,) = only(gather(files([scan[0], scan[1], scan[2], scan[6]]))).notes
    assert "3 slices seem" in note


def test_a_duplicate_is_set_aside_whatever_it_is_called(scan, expected, volume, ct_header, ct_file):
    renamed = ct_file(ct_header(3, SOPInstanceUID="1.2.9", InstanceNumber="99"), volume[3])
    series = only(gather(files([*scan, scan[1], renamed])))
    assert np.array_equal(pixels(series), expected)
    assert [(left.place.file, left.reason) for left in series.set_aside] == [
        ("7", misfits.DUPLICATE),
        ("8", misfits.DUPLICATE),
    ]
    assert series.notes == ()


def test_one_uid_for_all_slices_makes_no_duplicates(changed, expected):
    series = only(gather(files(changed(SOPInstanceUID="1.2.3"))))
    assert np.array_equal(pixels(series), expected)


def test_two_scans_in_one_series_are_both_kept_and_said(scan, volume, ct_header, ct_file):
    again = [ct_file(ct_header(i, SOPInstanceUID=f"7.{i}"), volume[-1 - i]) for i in range(3)]
    series = only(gather(files(scan + again)))
    assert len(series) == 10
    assert series.notes == (ordering.REPEATED,)


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, misfits.SCOUT),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "but a sagittal one"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "but a coronal one"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.707, 0.707]}, "but an oblique one"),
    ],
)
def test_what_is_no_axial_slice_is_set_aside(
    scan, expected, volume, ct_header, ct_file, elements, reason
):
    other = ct_file(ct_header(50, **elements), volume[0][::-1])
    series = only(gather(files([other, *scan])))
    assert np.array_equal(pixels(series), expected)
    (left,) = series.set_aside
    assert left.place == Place("0")
    assert reason in left.reason


def test_a_report_among_the_slices_is_set_aside_but_a_slice_without_pixels_is_not(scan):
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = uid.EnhancedSRStorage, "1.2.3.77"
    report.SeriesInstanceUID, report.Modality = "9.9", "SR"
    report.file_meta = Dataset()
    report.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    buffer = io.BytesIO()
    report.save_as(buffer, enforce_file_format=True)
    tag = b"\xe0\x7f\x10\x00OW"
    bare = scan[0][: scan[0].index(tag)]
    series, reports, file = gather(files([*scan, buffer.getvalue(), bare]))
    assert len(series) == 7
    assert reports.places == ()
    assert [left.reason for left in reports.set_aside] == ["Not a CT slice: Enhanced SR Storage."]
    assert file.name == "8"
    with pytest.raises(UnreadableSlice, match="no pixel data"):
        read_slice(file.read())


@pytest.mark.parametrize("position", [None, [0, 0, 0]])
def test_without_positions_instance_numbers_count_and_that_is_said(changed, expected, position):
    series = only(gather(files(changed(ImagePositionPatient=position)[::-1])))
    assert np.array_equal(pixels(series), expected)
    assert heights(series) == [None] * 7
    assert series.notes == (ordering.BY_NUMBER,)


def test_a_gap_between_instance_numbers_is_said(changed):
    numbered = changed(ImagePositionPatient=None, InstanceNumber=lambda i: str(2 * i + 1))
    assert only(gather(files(numbered))).notes == (ordering.BY_NUMBER,)
    _, gap = only(gather(files(numbered[:3] + numbered[4:]))).notes
    assert "One slice seems to be missing" in gap


@pytest.mark.parametrize("name", ["1.2.3", None])
def test_without_positions_and_numbers_names_count_and_that_is_said(changed, expected, name):
    data = changed(ImagePositionPatient=None, InstanceNumber=None, SOPInstanceUID=name)
    named = dict(zip(["s8", "s9", "s10", "s11", "s12", "s99", "s100"], data, strict=True))
    series = only(gather(files(dict(sorted(named.items())))))
    assert np.array_equal(pixels(series), expected)
    assert series.notes == (ordering.BY_NAME,)


def test_other_series_are_kept_apart(scan, changed, expected):
    other = changed(SeriesInstanceUID="1.2.4", SeriesNumber="5")
    mixed = [data for pair in zip(scan, other, strict=True) for data in pair]
    first, second = gather(files(mixed))
    assert (first.number, second.number) == (4, 5)
    assert np.array_equal(pixels(first), expected)
    assert np.array_equal(pixels(second), expected)


def test_a_scan_that_the_headers_cut_in_two_is_one(changed, expected):
    cut = changed(SeriesInstanceUID=lambda i: f"1.158860869{2 + i // 4}.7")
    series = only(gather(files(cut)))
    assert np.array_equal(pixels(series), expected)
    assert series.notes == (ordering.JOINED,)
    twice = changed(SeriesInstanceUID=lambda i: f"1.158860869{2 + i // 4}.7", InstanceNumber="1")
    assert len(gather(files(twice))) == 2


@pytest.mark.parametrize(
    "syntax",
    [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian],
)
def test_an_enhanced_twin_gives_the_same_slices(enhanced, expected, syntax):
    series = only(gather(files([enhanced(syntax)])))
    assert np.array_equal(pixels(series), expected)
    assert heights(series) == HEIGHTS
    assert [place.frame for place in series.places] == [7, 6, 5, 4, 3, 2, 1]
    assert all(ct_slice.spacing_mm == (0.7, 0.8) for ct_slice in series)
    assert series.notes == ()


@pytest.mark.parametrize("options", [{"has_bot": True}, {"has_bot": False}])
def test_compressed_frames_read_one_by_one(enhanced, expected, options):
    import imagecodecs

    data = enhanced(uid.JPEGLSLossless, imagecodecs.jpegls_encode, **options)
    assert np.array_equal(pixels(only(gather(files([data])))), expected)
    assert np.array_equal(read_slice(data, frame=6).pixels, expected[0])
    with pytest.raises(UnreadableSlice, match="holds 7 frames"):
        read_slice(data)


def test_plain_frames_keep_their_order(volume, ct_header, ct_file, expected):
    header = ct_header(0, ImagePositionPatient=None, NumberOfFrames="7")
    series = only(gather(files([ct_file(header, volume)])))
    assert np.array_equal(pixels(series), expected)
    assert series.places[2] == Place("0", 3, None)
    assert series.notes == (ordering.BY_NUMBER,)


def test_an_enhanced_file_that_is_cut_off_is_a_file_to_be_refused(enhanced):
    data = enhanced()
    (file,) = gather(files([data[:-4000]]))
    assert isinstance(file, File)
    with pytest.raises(UnreadableSlice, match="only 390240 of 394240 bytes"):
        read_slice(file.read())


@pytest.mark.parametrize(
    "lie", [{"NumberOfFrames": "1000000000"}, {"BitsAllocated": 0, "NumberOfFrames": "4000"}]
)
def test_frames_that_are_only_claimed_are_not_looked_for(volume, ct_header, ct_file, lie):
    (file,) = gather(files([ct_file(ct_header(0, **lie), volume)]))
    with pytest.raises(UnreadableSlice):
        read_slice(file.read(), frame=0)


def test_mutated_files_are_sorted_or_stay_files(scan, enhanced):
    rng = np.random.default_rng(8)
    samples = [scan[0], enhanced(), enhanced(uid.ImplicitVRLittleEndian)]
    for _ in range(150):
        data = bytearray(samples[rng.integers(3)])
        for at in rng.integers(132, min(len(data), 4000), rng.integers(1, 8)):
            data[at] = rng.integers(256)
        for group in gather(files([bytes(data), scan[1]])):
            for read in [group.read] if isinstance(group, File) else [lambda s=group: list(s)]:
                with contextlib.suppress(UnreadableSlice):
                    read()


def test_pictures_and_damaged_files_stay_where_they_came(scan):
    mixed = {"a": PNG, "b": scan[1], "c": b"", "d": scan[0], "e": scan[2][:900]}
    first, series, empty, damaged = gather(files(mixed))
    assert isinstance(first, Picture)
    assert isinstance(empty, Stranger)
    assert (first.file.name, damaged.name) == ("a", "e")
    assert (empty.file.name, empty.reason) == ("c", "The file is empty.")
    assert [place.file for place in series.places] == ["d", "b"]


def test_a_folder_a_zip_and_uploads_are_the_same(scan, expected, tmp_path):
    folder = tmp_path / "CD" / "PA0"
    folder.mkdir(parents=True)
    for name, data in zip(["z", "y", "x", "c", "b", "a.dcm", "k"], scan, strict=True):
        (folder / name).write_bytes(data)
    (folder / ".DS_Store").write_bytes(b"junk")
    archive = tmp_path / "scan"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in folder.iterdir():
            zipped.write(file, f"PA0/{file.name}")
    data = archive.read_bytes()
    for found, start in (
        (files_at(tmp_path / "CD"), f"{folder}/"),
        (files_at(archive), f"{archive}/PA0/"),
        (uploaded("my scan.zip", data), "my scan.zip/PA0/"),
        ([file for path in folder.iterdir() for file in files_at(path)][::-1], f"{folder}/"),
    ):
        groups = [group for group in gather(found) if isinstance(group, Series)]
        assert np.array_equal(pixels(only(groups)), expected)
        assert groups[0].places[0].file == f"{start}z"


def test_a_zip_that_must_not_be_unpacked_is_refused(tmp_path):
    bomb, escape = tmp_path / "bomb.zip", tmp_path / "escape.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("slice", bytes(20 * 1024**2))
    with zipfile.ZipFile(escape, "w") as zipped:
        zipped.writestr("../slice", PNG)
    for path, reason in ((bomb, "100 times"), (escape, "leads out")):
        with pytest.raises(ArchiveError, match=reason):
            files_at(path)
        with pytest.raises(ArchiveError, match=reason):
            uploaded("x", path.read_bytes())


def test_a_damaged_member_of_a_zip_is_refused_alone(scan):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for number, data in enumerate(scan):
            zipped.writestr(str(number), data)
    data = bytearray(out.getvalue())
    data[data.index(scan[2][-900:-800])] ^= 1
    series, damaged = gather(uploaded("x.zip", bytes(data)))
    assert len(series) == 6
    with pytest.raises(UnreadableSlice, match="damaged in the ZIP"):
        damaged.read()


@pytest.mark.parametrize(("degrees", "is_axial"), [(34, True), (36, False)])
@pytest.mark.parametrize("turned", [1, -1])
def test_slices_tilted_by_up_to_35_degrees_are_axial(changed, degrees, is_axial, turned):
    tilt = turned * np.radians(degrees)
    cosines = [1, 0, 0, 0, float(np.cos(tilt)), float(np.sin(tilt))]
    series = only(gather(files(changed(ImageOrientationPatient=cosines))))
    assert len(series) == (7 if is_axial else 0)
    assert all("an oblique" in left.reason for left in series.set_aside)


@pytest.mark.parametrize(("degrees", "plane"), [(34, "a coronal"), (36, "an oblique")])
def test_planes_are_named_up_to_35_degrees_off(changed, degrees, plane):
    tilt = np.radians(90 - degrees)
    cosines = [1, 0, 0, 0, float(np.cos(tilt)), float(np.sin(tilt))]
    series = only(gather(files(changed(ImageOrientationPatient=cosines))))
    assert {left.reason for left in series.set_aside} == {f"Not an axial slice but {plane} one."}


@pytest.mark.parametrize(("length", "counts"), [(1.04, True), (0.96, True), (1.06, False)])
def test_an_orientation_counts_if_its_cosines_are_nearly_of_unit_length(changed, length, counts):
    sagittal = [0, length, 0, 0, 0, -1]
    series = only(gather(files(changed(ImageOrientationPatient=sagittal))))
    assert len(series) == (0 if counts else 7)
    assert counts or heights(series) == HEIGHTS


@pytest.mark.parametrize("kind", ["LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW"])
def test_every_name_of_a_scout_is_known(changed, kind):
    series = only(gather(files(changed(ImageType=["ORIGINAL", "PRIMARY", kind]))))
    assert [left.reason for left in series.set_aside] == [misfits.SCOUT] * 7


@pytest.mark.parametrize(
    ("positions", "missing"),
    [
        ([0, 2.5], 0),
        ([0, 2.5, 6.2], 0),
        ([0, 2.5, 6.3], 1),
        ([0, 2.5, 5, 10, 17.5, 20], 3),
        ([0, 1, 2, 4, 6, 8, 10, 12], 5),
    ],
)
def test_missing_slices_are_counted_by_the_smaller_distances(
    volume, ct_header, ct_file, positions, missing
):
    slices = [
        ct_file(
            ct_header(i, ImagePositionPatient=[0, 0, height], InstanceNumber=str(int(9 * height))),
            volume[i % 7] + np.uint16(i // 7),
        )
        for i, height in enumerate(positions)
    ]
    notes = only(gather(files(slices))).notes
    are = "One slice seems" if missing == 1 else f"{missing} slices seem"
    assert len(notes) == (missing > 0)
    assert all(note.startswith(are) for note in notes)


def test_slices_at_one_place_are_no_gap(scan, volume, ct_header, ct_file):
    again = ct_file(ct_header(20, ImagePositionPatient=[-100, -90, 30]), volume[5])
    assert only(gather(files([*scan, again]))).notes == (ordering.REPEATED,)


def test_other_pixels_are_no_duplicate_whatever_the_header_says(scan, volume, ct_header, ct_file):
    altered = ct_file(ct_header(2), volume[5])
    series = only(gather(files([*scan, altered])))
    assert (len(series), series.set_aside) == (8, ())
    assert series.notes == (ordering.REPEATED,)


@pytest.mark.parametrize("elements", [{"ImagePositionPatient": [5, 6]}, {}])
def test_one_slice_without_position_is_set_aside(scan, volume, ct_header, ct_file, elements):
    header = ct_header(6, **(elements or {"ImagePositionPatient": None}))
    series = only(gather(files([ct_file(header, volume[6]), *scan[:6]])))
    assert series.notes == ()
    assert [place.file for place in series.places] == ["1", "2", "3", "4", "5", "6"]
    assert [left.reason for left in series.set_aside] == [misfits.UNPLACED]


@pytest.mark.parametrize("number", ["1", None])
def test_names_count_where_numbers_are_missing_or_twice(changed, number):
    numbered = changed(
        ImagePositionPatient=None, InstanceNumber=lambda i: number if i in (0, 6) else str(9 - i)
    )
    names = ["s8", "s09", "s10", "s011", "s12", "s99", "s100"]
    series = only(gather(files(dict(zip(names, numbered, strict=True)))))
    assert series.notes == (ordering.BY_NAME,)
    assert [place.file for place in series.places] == names


def test_a_single_slice_needs_no_word_on_its_order(volume, ct_header, ct_file, scan):
    single = only(gather(files([scan[3]])))
    assert (heights(single), single.notes) == ([HEIGHTS[3]], ())
    bare = ct_header(0, ImagePositionPatient=None, InstanceNumber=None, SeriesNumber=None)
    alone = only(gather(files([ct_file(bare, volume[0])])))
    assert (alone.places, alone.notes, alone.number) == ((Place("0"),), (), None)


@pytest.mark.parametrize(
    "elements",
    [
        {"SeriesInstanceUID": lambda i: f"1.15{i // 4}.7{i // 4}"},
        {"SeriesInstanceUID": lambda i: "1.15.7" + ".1" * (i // 4)},
        {"SeriesNumber": lambda i: str(i // 4)},
        {"Modality": lambda i: ("CT", "OT")[i // 4]},
        {"PixelSpacing": lambda i: [0.7, 0.8 + i // 4]},
    ],
)
def test_scans_that_differ_in_more_than_a_part_of_the_uid_are_two(changed, elements):
    cut = {"SeriesInstanceUID": lambda i: f"1.15{i // 4}.7"} | elements
    assert [len(series) for series in gather(files(changed(**cut)))] == [4, 3]


def test_scans_of_another_size_are_two(volume, ct_header, ct_file):
    values = [volume[0], volume[1], volume[2][:, :100], volume[3][:100]]
    cut = [
        ct_file(ct_header(i, SeriesInstanceUID=f"1.15{i}.7"), np.ascontiguousarray(one))
        for i, one in enumerate(values)
    ]
    assert [len(series) for series in gather(files(cut))] == [2, 1, 1]


def test_a_file_of_more_than_can_be_read_is_left_to_the_reader(scan, monkeypatch):
    monkeypatch.setattr("covidct.imaging.gather.MAX_BYTES", len(scan[0]))
    assert isinstance(gather(files(scan[:1]))[0], Series)
    monkeypatch.setattr("covidct.imaging.gather.MAX_BYTES", len(scan[0]) - 1)
    assert isinstance(gather(files(scan[:1]))[0], File)


def test_a_file_is_read_once_for_all_its_frames_and_its_slices_are_named(enhanced, scan):
    reads = []

    def counted(name: str, data: bytes) -> File:
        return File(name, lambda: reads.append(name) or data)

    several, single = counted("several", enhanced()), counted("single", scan[0])
    (series,) = gather([several])
    (other,) = gather([single])
    assert reads == ["several", "single"]
    list(series)
    assert reads == ["several", "single", "several"]
    assert (series.files, other.files) == ((several,) * 7, (single,))


def test_no_patient_data_are_kept(scan, enhanced):
    for series in gather(files([*scan, enhanced()])):
        list(series)
        assert "Secret" not in repr((series.places, series.notes, series.set_aside))
        assert "Secret" not in repr(series._opened._held[1].header)


def test_no_file_is_kept_in_memory(volume, ct_header, ct_file):
    large = np.tile(volume[0], (4, 4))

    def file(number: int) -> File:
        return File(str(number), lambda: ct_file(ct_header(number), large + np.uint16(number)))

    tracemalloc.start()
    series = only(gather(file(number) for number in range(12)))
    pictures = sum(ct_slice.pixels.mean() for ct_slice in series)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pictures > 0
    assert kept < 2 * large.nbytes  # of twelve
    assert peak < 24 * large.nbytes  # what it takes to decode one


@pytest.mark.skipif(not SHARED.exists(), reason="the shared series is not here")
def test_the_shared_series_is_one_although_its_headers_say_two():
    names = [path.name for path in sorted(SHARED.iterdir())]
    found = files_at(SHARED)
    random.Random(1).shuffle(found)
    series = only(gather(found))
    assert [Path(place.file).name for place in series.places] == names
    assert series.notes == (ordering.JOINED, ordering.BY_NUMBER)
    for place, ct_slice in zip(series.places, series, strict=True):
        assert np.array_equal(ct_slice.pixels, read_slice(place.file).pixels)


def _as_files(parts: dict[str, list[bytes]]) -> list[File]:
    return [
        File(f"{folder}/{number}", lambda data=data: data)
        for folder, part in parts.items()
        for number, data in enumerate(part)
    ]


@pytest.fixture
def other_patient(volume, ct_header, ct_file):
    """Slices of somebody else at the same positions."""

    def make(**elements) -> list[bytes]:
        return [ct_file(ct_header(i, **elements), volume[-1 - i] + 1) for i in range(len(volume))]

    return make


@pytest.mark.parametrize("series_uid", [None, "1.2.3.4"])
@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "SeriesNumber"])
def test_patients_are_never_mixed_whatever_the_series_uid_says(
    changed, other_patient, series_uid, keyword
):
    first = changed(SeriesInstanceUID=series_uid, **{keyword: "1"})
    second = other_patient(SeriesInstanceUID=series_uid, **{keyword: "2"})
    mixed = [data for pair in zip(first, second, strict=True) for data in pair]
    found = gather(files(mixed))
    assert [len(series) for series in found] == [7, 7]
    assert [{int(place.file) % 2 for place in series.places} for series in found] == [{0}, {1}]


@pytest.mark.parametrize("series_uid", [None, "1.2.3.4"])
def test_folders_tell_patients_apart_where_headers_do_not(changed, other_patient, series_uid):
    alike = {"SeriesInstanceUID": series_uid, "SeriesNumber": None}
    found = gather(_as_files({"P1": changed(**alike), "P2": other_patient(**alike)}))
    assert [{place.file[:2] for place in series.places} for series in found] == [{"P1"}, {"P2"}]


def test_one_series_in_two_folders_stays_one(scan, expected):
    series = only(gather(_as_files({"A": scan[:3], "B": scan[3:]})))
    assert np.array_equal(pixels(series), expected)


@pytest.mark.parametrize("size", [(96, 96), (80, 96)])
def test_a_member_that_cannot_be_ordered_is_set_aside_and_the_rest_keeps_its_positions(
    scan, expected, ct_header, ct_file, size
):
    page = np.random.default_rng(0).integers(0, 99, size).astype(np.uint16)
    none = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient"))
    header = ct_header(99, Rows=size[0], Columns=size[1], InstanceNumber="99", **none)
    series = only(gather(files([ct_file(header, page), *scan])))
    assert np.array_equal(pixels(series), expected)
    assert heights(series) == HEIGHTS
    assert series.notes == ()
    (left,) = series.set_aside
    assert left.reason in (misfits.UNPLACED, misfits.OTHER_SIZE)


def test_a_spacing_that_changes_hides_no_slices(changed):
    positions = [0, 1.25, 2.5, 3.75, 8.75, 13.75, 18.75]
    data = changed(ImagePositionPatient=lambda i: [0, 0, positions[i]])
    assert only(gather(files(data))).notes == (ordering.SPACING_CHANGES,)


@pytest.mark.parametrize(
    ("sop_class", "name"),
    [
        (uid.SegmentationStorage, "Segmentation Storage"),
        (uid.RTDoseStorage, "RT Dose Storage"),
        (uid.BasicTextSRStorage, "Basic Text SR Storage"),
        (uid.EncapsulatedPDFStorage, "Encapsulated PDF Storage"),
        (uid.KeyObjectSelectionDocumentStorage, "Key Object Selection Document Storage"),
        (uid.SecondaryCaptureImageStorage, "dose page"),
    ],
)
def test_companions_of_a_ct_are_set_aside_by_what_they_are(
    scan, volume, ct_header, ct_file, sop_class, name
):
    other = ct_file(
        ct_header(0, SOPClassUID=sop_class, SeriesInstanceUID="9.9.9.1", SeriesNumber="90"),
        volume[0],
    )
    series, beside = gather(files([*scan, other]))
    assert (len(series), len(beside)) == (7, 0)
    (left,) = beside.set_aside
    assert name in left.reason
