import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from covidct.data import corrections
from covidct.data.check import check_dataset
from covidct.data.corrections import (
    AS_FILED,
    LEFT_OUT,
    SECOND_LOOK,
    correct,
    read_corrections,
    told,
)
from covidct.data.index import Index, read_index
from covidct.data.sources import read_source
from covidct.data.splits import split_for_training
from covidct.data.zip_dataset import unpack_dataset
from covidct.errors import DatasetError

HASH = "ab" * 32


@pytest.fixture
def data(own_home, phantom_dataset, tmp_path):
    """Two class folders of twelve slices each, which bear the same names in both."""
    return shutil.copytree(phantom_dataset, tmp_path / "data")


def labels(index: Index) -> dict[str, int]:
    return {item.name: item.label for item in index.items}


def contents(folder) -> dict:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_slice_is_relabelled_left_out_or_marked_and_the_data_set_stays_as_it_is(data):
    before, filed = contents(data), labels(read_index(data))
    correct(data, data / "CT_COVID" / "a.png", "NonCOVID")
    correct(data, data / "CT_NonCOVID" / "b.png", LEFT_OUT)
    correct(data, data / "CT_COVID" / "c.png", SECOND_LOOK)
    index = read_index(data)
    expected = filed | {"CT_COVID/a.png": 0}
    del expected["CT_NonCOVID/b.png"]
    assert labels(index) == expected
    assert [skipped.path for skipped in index.skipped] == [data / "CT_NonCOVID" / "b.png"]
    assert contents(data) == before
    assert told(index.corrections) == (
        "Corrections of labels were applied to 3 slices: 1 relabelled, 1 left out, "
        "1 marked for a second look and used as filed."
    )


def test_a_correction_is_undone_alone_or_with_all_others_and_the_table_tells_of_it(data):
    filed = labels(read_index(data))
    for name in ("a", "b", "c"):
        correct(data, data / "CT_COVID" / f"{name}.png", "NonCOVID", "ann")
    correct(data, data / "CT_COVID" / "a.png", AS_FILED, "ben")
    assert labels(read_index(data)) == filed | {"CT_COVID/b.png": 0, "CT_COVID/c.png": 0}
    corrections.undo_all(data, "ben")
    assert labels(read_index(data)) == filed
    assert not read_corrections(data)
    rows = corrections.read_rows(corrections.corrections_table(data))
    assert [row.by for row in rows] == [*["ann"] * 3, *["ben"] * 3]


def test_a_slice_is_known_by_its_content_whatever_it_is_called(data):
    correct(data, data / "CT_COVID" / "a.png", "NonCOVID")
    (data / "CT_COVID" / "a.png").rename(data / "CT_COVID" / "z.png")
    shutil.copy(data / "CT_COVID" / "z.png", data / "CT_NonCOVID" / "copy.png")
    found = labels(read_index(data))
    assert found["CT_COVID/z.png"] == found["CT_NonCOVID/copy.png"] == 0
    assert read_index(data).corrections == {"relabelled": 1}
    (data / "CT_COVID" / "z.png").write_bytes(b"another slice")
    (data / "CT_NonCOVID" / "copy.png").unlink()
    assert labels(read_index(data))["CT_COVID/z.png"] == 1
    assert "belongs to no slice" in told(read_index(data).corrections)


def test_a_correction_is_of_one_data_set(data, tmp_path):
    other = shutil.copytree(data, tmp_path / "other")
    correct(data, data / "CT_COVID" / "a.png", "NonCOVID")
    assert not read_index(other).corrected


def test_an_export_beside_a_copy_corrects_it_and_is_overruled_by_what_is_decided_here(
    data, tmp_path
):
    copy = shutil.copytree(data, tmp_path / "copy")
    for name in ("a", "b"):
        correct(data, data / "CT_COVID" / f"{name}.png", "NonCOVID")
    (copy / "corrections.csv").write_bytes(corrections.as_csv(read_corrections(data)))
    assert labels(read_index(copy)) == labels(read_index(data))
    correct(copy, copy / "CT_COVID" / "a.png", AS_FILED)
    assert labels(read_index(copy)) == labels(read_index(data)) | {"CT_COVID/a.png": 1}


def test_a_patient_stays_whole_whatever_its_slices_are_relabelled(data):
    rows = "".join(
        f"{name},{letter}.png,P{place // 3}\n"
        for name in ("COVID", "NonCOVID")
        for place, letter in enumerate("abcdefghijkl")
    )
    (data / "patients.csv").write_text(f"class,file,patient\n{rows}")
    before = {item.name: item.patient for item in read_index(data).items}
    for name in "ace":
        correct(data, data / "CT_COVID" / f"{name}.png", "NonCOVID")
    index = read_index(data)
    assert {item.name: item.patient for item in index.items} == before
    sides = [index.subset("first-half"), index.subset("second-half")]
    assert sum(map(len, sides)) == len(index.items)
    for some, others in (sides, split_for_training(index, 0.3, 0)):
        assert not {item.patient for item in some} & {item.patient for item in others}


def test_a_slice_of_the_test_list_stays_in_it(data):
    for name in ("COVID", "NonCOVID"):
        folder = data / "Data-split" / name
        folder.mkdir(parents=True)
        (folder / f"testCT_{name}.txt").write_text("a.png\n")
    correct(data, data / "CT_COVID" / "a.png", "NonCOVID")
    (one,) = (item for item in read_index(data).items if item.name == "CT_COVID/a.png")
    assert (one.label, one.split) == (0, "test")


@pytest.mark.parametrize("listed", [False, True])
def test_slices_without_a_label_are_items_once_they_have_one(data, listed):
    (data / "CT_Unlabelled").mkdir()
    for name in "ab":
        (data / "CT_COVID" / f"{name}.png").rename(data / "CT_Unlabelled" / f"{name}.png")
    if listed:
        for name in ("COVID", "NonCOVID"):
            (data / "Data-split" / name).mkdir(parents=True)
            for split, letters in (("train", "cdefgh"), ("val", "ijkl")):
                lines = "".join(f"{letter}.png\n" for letter in letters)
                (data / "Data-split" / name / f"{split}CT_{name}.txt").write_text(lines)
    index = read_index(data)
    assert [path.name for path in index.unlabelled] == ["a.png", "b.png"]
    assert not any("Unlabelled" in item.name for item in index.items)
    correct(data, data / "CT_Unlabelled" / "b.png", "COVID")
    index = read_index(data)
    assert [path.name for path in index.unlabelled] == ["a.png"]
    assert labels(index)["CT_Unlabelled/b.png"] == 1
    assert index.corrections == {"labelled": 1}
    training, validation = split_for_training(index, 0.25, 0)
    used = {item.name for item in (*training, *validation)}
    assert "CT_Unlabelled/b.png" in used
    if listed:
        assert "CT_Unlabelled/b.png" not in {item.name for item in validation}


def test_a_data_set_may_have_nothing_but_slices_to_label(data):
    (data / "CT_COVID").rename(data / "CT_Unlabelled")
    shutil.rmtree(data / "CT_NonCOVID")
    assert len(read_index(data).unlabelled) == 12
    with pytest.raises(DatasetError, match="Label some of each of those in CT_Unlabelled"):
        check_dataset(data)
    for letter in "abcdefghijkl":
        decision = "COVID" if letter < "g" else "NonCOVID"
        correct(data, data / "CT_Unlabelled" / f"{letter}.png", decision)
    report = check_dataset(data)
    assert report.corrections == {"labelled": 12}
    assert sum(entry.slices for entry in report.counts) == 12


def test_what_is_to_be_labelled_and_what_was_corrected_come_along_in_a_zip(data, tmp_path):
    (data / "CT_Unlabelled").mkdir()
    (data / "CT_COVID" / "a.png").rename(data / "CT_Unlabelled" / "a.png")
    correct(data, data / "CT_COVID" / "b.png", "NonCOVID")
    (data / "corrections.csv").write_bytes(corrections.as_csv(read_corrections(data)))
    with Path(shutil.make_archive(tmp_path / "all", "zip", data)).open("rb") as archive:
        unpacked = unpack_dataset(archive, tmp_path / "unpacked")
    assert labels(read_index(unpacked)) == labels(read_index(data))
    assert [path.name for path in read_index(unpacked).unlabelled] == ["a.png"]


def test_a_table_goes_with_the_data_set_that_it_is_of(data):
    correct(data, data / "CT_COVID" / "a.png", LEFT_OUT)
    corrections.forget(data)
    assert not list(corrections.corrections_table(data).parent.iterdir())
    corrections.forget(data)


def test_a_source_of_one_class_leaves_out_what_became_the_other(data):
    shutil.rmtree(data / "CT_NonCOVID")
    correct(data, data / "CT_COVID" / "a.png", "NonCOVID")
    source = read_source(f"one={data}")
    assert not source.has_both_classes
    assert len(source.items) == 11
    assert source.corrections == {"relabelled": 1}


def test_no_correction_is_lost_where_several_people_correct_at_once(data):
    slices = sorted((data / "CT_COVID").iterdir())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: correct(data, path, "NonCOVID"), slices))
    assert len(read_corrections(data)) == len(slices)


def test_names_that_are_formulas_or_no_unicode_come_back_as_they_were(data):
    named = data / "CT_COVID" / "=1+2\udcff\n.png"
    (data / "CT_COVID" / "a.png").rename(named)
    correct(data, named, LEFT_OUT, "=ann")
    (one,) = read_corrections(data)
    assert (one.file, one.by) == ("CT_COVID/=1+2\udcff\n.png", "=ann")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("file,label\na.png,COVID\n", "must have the columns"),
        (
            f"sha256,decision,file,at,by\n{HASH},covid,a,b,c\n",
            "Row 1 .* is no correction",
        ),
        (f"sha256,decision,file,at,by\n{HASH},it is,a,b,c\n", "Row 1 .* is no correction"),
        ("sha256,decision,file,at,by\n../../x,COVID,a,b,c\n", "Row 1 .* is no correction"),
        (f"sha256,decision,file,at,by\n{HASH}\n", "Row 1 .* is no correction"),
        (
            f"sha256,decision,file,at,by\n{HASH},COVID,{'x' * 200_000},b,c\n",
            "must have the columns",
        ),
        ("x" * (17 * 1024**2), "longer than"),
    ],
)
def test_what_is_no_table_of_corrections_is_refused(data, table, reason):
    (data / "corrections.csv").write_text(table)
    with pytest.raises(DatasetError, match=reason):
        read_index(data)


def test_a_slice_can_be_corrected_to_any_class_that_has_a_folder(own_home, three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    correct(data, data / "CT_Normal" / "a.png", "Striped")
    correct(data, data / "CT_Striped" / "b.png", "COVID")
    found = {item.name: (item.label, item.class_name) for item in read_index(data).items}
    assert found["CT_Normal/a.png"] == (0, "Striped")
    assert found["CT_Striped/b.png"] == (1, "COVID")


def test_a_slice_of_a_class_whose_folder_is_gone_is_left_out_until_it_is_corrected_again(
    own_home, three_classes, tmp_path
):
    data = shutil.copytree(three_classes, tmp_path / "data")
    correct(data, data / "CT_Normal" / "a.png", "Striped")
    shutil.rmtree(data / "CT_Striped")
    index = read_index(data)
    (left_out,) = index.skipped
    assert (left_out.path.name, len(index.items)) == ("a.png", 19)
    assert "the class Striped, of which there is no folder" in left_out.reason
    corrections.undo_all(data)
    assert len(read_index(data).items) == 20


def test_a_slice_that_is_gone_and_a_decision_that_is_none_change_nothing(data):
    with pytest.raises(DatasetError, match="nothing was changed"):
        correct(data, data / "CT_COVID" / "gone.png", "COVID")
    with pytest.raises(ValueError, match="decision"):
        correct(data, data / "CT_COVID" / "a.png", "some other")
    assert not corrections.corrections_table(data).exists()


def test_a_run_keeps_to_the_labels_that_it_began_with(data, quick, tmp_path):
    from covidct.evaluation.evaluate import validation_items
    from covidct.training.run_folder import start_run_folder

    correct(data, data / "CT_COVID" / "a.png", LEFT_OUT)
    start_run_folder(tmp_path / "run", data, replace(quick, validation_share=0.5))
    began = validation_items(tmp_path / "run")
    for item in began:
        correct(data, item.path, LEFT_OUT)
    assert validation_items(tmp_path / "run") == began
    start_run_folder(tmp_path / "next", data, replace(quick, validation_share=0.5))
    assert not set(validation_items(tmp_path / "next")) & set(began)
