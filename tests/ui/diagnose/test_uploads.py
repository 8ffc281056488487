"""From uploads to slices."""

import gzip
import tracemalloc
import zipfile
from io import BytesIO

import nibabel
import numpy as np
import pytest

from covidct.errors import UnreadableSlice
from covidct.imaging.anatomy.lung_extent import BEYOND_LUNGS
from covidct.inference.cases import groups_at
from covidct.ui.diagnose.uploads import sort_uploads


def zipped(files):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_files_shuffled_files_and_a_zip_give_the_same_slices_in_the_same_order(scan):
    names = [f"IM{number}" for number in range(len(scan))]
    in_order = dict(zip(names, scan, strict=True))
    shuffled = {name: in_order[name] for name in np.random.default_rng(0).permutation(names)}
    drops = (in_order.items(), shuffled.items(), [("scan.zip", zipped(shuffled))])
    first, *others = [sort_uploads(drop) for drop in drops]
    (series,) = first
    assert len(series.cases) == len(scan)
    for (other,) in others:
        assert [case.content for case in other.cases] == [case.content for case in series.cases]
        for case, twin in zip(series.cases, other.cases, strict=True):
            assert np.array_equal(case.read().pixels, twin.read().pixels)


def test_a_single_picture_and_a_damaged_zip_are_cases_of_their_own(png, scan):
    damaged = zipped({"a.png": png})[:-30]
    groups = sort_uploads([("a.png", png), ("scan.zip", damaged), ("one", scan[1])])
    assert not any(group.is_series for group in groups)
    cases = {case.name: case for group in groups for case in group.cases}
    assert cases.keys() == {"a.png", "scan.zip", "one"}
    with pytest.raises(UnreadableSlice, match="ZIP"):
        cases["scan.zip"].read()


def test_what_a_zip_unpacks_to_is_not_held(png):
    junk = {f"{number}.bin": bytes([number]) * 2**21 for number in range(20)}
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in junk.items():
            packed.writestr(name, data)
        packed.writestr("pad.bin", np.random.default_rng(0).bytes(2**20), zipfile.ZIP_STORED)
        packed.writestr("slice.png", png)
    data = archive.getvalue()
    tracemalloc.start()
    dropped = sort_uploads([("many.zip", data)])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(dropped) == 22
    assert held < 2**20
    assert dropped[-1].cases[0].read().pixels.size


def test_a_scout_of_its_own_series_takes_nothing_from_the_series_on_show(
    app, scan, volume, ct_header, ct_file
):
    scout = ct_header(9, SeriesInstanceUID="7.8.9.10.11", ImageType=["ORIGINAL", "LOCALIZER"])
    files = [(f"IM{number}", data, "") for number, data in enumerate(scan) if number != 2]
    app.file_uploader[0].set_value([("scout", ct_file(scout, volume[0]), ""), *files])
    app.run()
    assert not app.exception
    shown = "\n".join(element.value for element in app.get("html"))
    assert "The series, by the slices around" in shown
    assert "One slice seems to be missing" in shown
    assert list(app.dataframe[-1].value["File"]) == ["scout"]
    assert app.slider(key="series_slice").max == len(files)


def test_a_gap_in_a_series_beside_other_files_is_said(app, png, scan):
    files = [(f"IM{number}", data, "") for number, data in enumerate(scan) if number != 2]
    app.file_uploader[0].set_value([*files, ("other.png", png, "")])
    app.run()
    assert not app.exception
    shown = "\n".join(element.value for element in app.get("html"))
    assert f"{len(files)} slices from IM0 on: One slice seems to be missing" in shown


def test_files_without_a_slice_are_told_so_with_the_reason(app, volume, ct_header, ct_file):
    scout = ct_header(0, ImageType=["ORIGINAL", "LOCALIZER"])
    app.file_uploader[0].set_value([("scout", ct_file(scout, volume[0]), "")])
    app.run()
    assert not app.exception
    shown = "\n".join(element.value for element in app.get("html"))
    assert "There is no slice to judge" in shown
    assert list(app.dataframe[-1].value["File"]) == ["scout"]


def test_a_series_is_shown_with_verdict_slider_and_reports(app, scan):
    app.file_uploader[0].set_value(
        [("scan.zip", zipped(dict(zip("abcdefghi", scan, strict=False))), "")]
    )
    app.run()
    assert not app.exception
    shown = "\n".join(element.value for element in app.get("html"))
    assert "Most suspicious slices first" in shown
    assert "The series, by the slices around" in shown
    slider = app.slider(key="series_slice")
    assert slider.max == len(app.dataframe[-1].value)
    slider.set_value(1).run()
    first = app.session_state["shown"]
    app.slider(key="series_slice").set_value(2).run()
    assert app.session_state["shown"].keys() != first.keys()
    assert len(app.get("download_button")) == 5
    drawn = ("series chart drawn", "series thumbnails")
    assert all(name in app.session_state for name in drawn)
    app.file_uploader[0].clear().run()
    assert not any(name in app.session_state for name in drawn)


def test_what_lies_beyond_the_lungs_is_not_called_refused(app, scan, neck, ct_header, ct_file):
    files = dict(zip("abcdefg", scan, strict=True)) | {"neck": ct_file(ct_header(7), neck)}
    app.file_uploader[0].set_value([("scan.zip", zipped(files), "")])
    app.run()
    assert not app.exception
    decided = list(app.dataframe[-1].value["Decision"])
    assert decided[-1] == "Set aside"
    assert not {"Set aside", "Refused"} & set(decided[:-1])
    app.slider(key="series_slice").set_value(len(decided)).run()
    opened = "\n".join(element.value for element in app.get("html"))
    assert '<p class="cv-badge">Set aside</p>' in opened
    assert BEYOND_LUNGS in opened


def test_the_box_for_identifiers_is_not_ticked_for_the_next_slice(app, scan):
    app.file_uploader[0].set_value([("one", scan[1], "")])
    app.run()
    app.checkbox[0].check().run()
    app.file_uploader[0].set_value([("two", scan[2], "")])
    app.run()
    assert not app.checkbox[0].value


def test_what_lies_beside_a_ct_on_a_cd_is_set_aside_with_its_reason(scan):
    beside = {
        "README.TXT": b"Insert the CD.",
        "VIEWER/viewer.exe": b"MZ\x90\0\3" + bytes(99),
        "VIEWER/viewer.jar": zipped({"a.class": b"\xca\xfe\xba\xbe"}),
        "logo.gif": b"GIF89a" + bytes(50),
        "__MACOSX/._IM1": b"\0\5\x16\7",
        ".DS_Store": b"\0\0\0\1Bud1",
    }
    burnt = {f"DICOM/IM{number}": data for number, data in enumerate(scan)}
    series, others = sort_uploads([("cd.zip", zipped(burnt | beside))])
    assert (len(series.cases), series.left_out, len(others.cases)) == (len(scan), (), 0)
    reasons = {left.case.name: left.reason for left in others.left_out}
    assert len(reasons) == 4
    assert "text file" in reasons["cd.zip/README.TXT"]
    assert "another archive" in reasons["cd.zip/VIEWER/viewer.jar"]
    assert "GIF" in reasons["cd.zip/logo.gif"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_in_a_zip_takes_nothing_away(scan):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for data in scan:
            archive.writestr("IM1", data)
    (series,) = sort_uploads([("twice.zip", buffer.getvalue())])
    assert len(series.cases) == len(scan)


def test_a_folder_with_one_zip_a_patient_is_walked(scan, tmp_path):
    for name in ("a", "b"):
        files = {f"CT/{number}": data for number, data in enumerate(scan)}
        (tmp_path / f"{name}.zip").write_bytes(zipped(files))
    (tmp_path / "odd.zip").write_bytes(zipped(files)[:-30])
    series, others = groups_at([tmp_path])
    assert len(series.cases) == len(scan)  # the same scan twice
    assert len(series.left_out) == len(scan)
    assert ["ZIP" in left.reason for left in others.left_out] == [True]


def test_a_gzipped_volume_is_a_series_with_slider_and_windows(app, volume):
    laid = np.moveaxis(volume.astype(np.int16) - 1350, (0, 1, 2), (2, 1, 0))
    image = nibabel.Nifti1Image(laid, np.diag([-0.8, -0.7, 2.5, 1]))
    app.file_uploader[0].set_value([("scan.nii.gz", gzip.compress(image.to_bytes()), "")])
    app.run()
    assert not app.exception
    shown = "\n".join(element.value for element in app.get("html"))
    assert "The series, by the slices around" in shown
    assert app.slider(key="series_slice").max == len(volume)
    assert "from the feet to the head" in app.slider(key="series_slice").label


def test_a_picture_that_lies_beside_a_series_leaves_it_its_view(app, scan, no_lungs):
    files = {f"CT/{number}": data for number, data in enumerate(scan)}
    beside = {"0-logo.png": no_lungs, "readme.txt": b"read me"}
    app.file_uploader[0].set_value([("cd.zip", zipped(beside | files), "")])
    app.run()
    assert not app.exception
    shown = "\n".join(element.value for element in app.get("html"))
    assert "The series, by the slices around" in shown
    assert app.slider(key="series_slice").max == len(scan)
    reasons = [row for frame in app.dataframe for row in frame.value.get("Reason", ())]
    assert any("text file" in reason for reason in reasons)
