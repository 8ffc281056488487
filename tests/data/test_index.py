import shutil
from collections import Counter

import pytest

from covidct.data.classes import MOST_CLASSES
from covidct.data.index import group_by_name, read_index
from covidct.data.splits import split_for_training
from covidct.errors import DatasetError


def _upstream(root, source, splits):
    """The same slices in the upstream layout, with lists."""
    for folder in ("CT_COVID", "CT_NonCOVID"):
        shutil.copytree(source / folder, root / "Images-processed" / folder)
        name = folder.removeprefix("CT_")
        (root / "Data-split" / name).mkdir(parents=True)
        files = sorted(file.name for file in (source / folder).iterdir())
        for split, part in splits.items():
            listing = root / "Data-split" / name / f"{split}CT_{name}.txt"
            listing.write_text("\n".join(files[part]) + "\n")
    return root


def test_two_plain_folders_are_a_data_set(phantom_dataset):
    index = read_index(phantom_dataset)
    assert [item.label for item in index.items] == [1] * 12 + [0] * 12
    assert index.splits == frozenset()
    assert len(index.subset("all")) == 24


def test_official_lists_are_kept(phantom_dataset, tmp_path):
    parts = {"train": slice(0, 8), "val": slice(8, 12)}
    index = read_index(_upstream(tmp_path, phantom_dataset, parts))
    assert len(index.subset("train")) == 16
    assert len(index.subset("val")) == 8
    with pytest.raises(DatasetError, match=r"no “test” list.*train, val"):
        index.subset("test")


def test_a_listed_file_that_is_missing_is_named(phantom_dataset, tmp_path):
    root = _upstream(tmp_path, phantom_dataset, {"train": slice(None)})
    (root / "Images-processed" / "CT_COVID" / "c.png").unlink()
    index = read_index(root)
    assert [skip.path.name for skip in index.skipped] == ["c.png"]
    assert len(index.items) == 23


def test_files_are_left_out_by_choice_and_said_to_be(phantom_dataset, tmp_path):
    root = _upstream(tmp_path, phantom_dataset, {"train": slice(None)})
    chosen = ("CT_COVID/c.png", "CT_NonCOVID/a.png", "CT_COVID/never there.png")
    index = read_index(root, chosen)
    assert len(index.items) == 22
    assert {(s.path.name, s.reason) for s in index.skipped} == {
        ("c.png", "Excluded by choice after the data check."),
        ("a.png", "Excluded by choice after the data check."),
    }


def test_patients_come_from_the_table_where_there_is_one(phantom_dataset, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(phantom_dataset, root)
    (root / "patients.csv").write_text(
        "class,file,split,patient\nCOVID,a.png,train,P 1\nCOVID,b.png,train,P 1\n"
    )
    patients = {item.path.name: item.patient for item in read_index(root).items if item.label}
    assert patients["a.png"] == patients["b.png"] == "COVID/P 1"
    assert patients["c.png"] != patients["a.png"]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (b"class;file;patient\nCOVID;a.png;P 1\n", "columns class, file and patient"),
        (b"Class,File,Patient\nCOVID,a.png,P 1\n", "columns class, file and patient"),
        (b"", "columns class, file and patient"),
        ("class,file,patient\nCOVID,a.png,Müller\n".encode("latin-1"), "not UTF-8"),
        (bytes(17 * 1024**2), "longer than"),
    ],
)
def test_what_is_no_table_of_patients_is_refused(phantom_dataset, tmp_path, table, reason):
    root = shutil.copytree(phantom_dataset, tmp_path / "data")
    (root / "patients.csv").write_bytes(table)
    with pytest.raises(DatasetError, match=reason):
        read_index(root)


def test_a_table_of_patients_may_come_from_a_spreadsheet(phantom_dataset, tmp_path):
    root = shutil.copytree(phantom_dataset, tmp_path / "data")
    (root / "patients.csv").write_text(
        "class,file,patient\r\nCOVID,a.png,P 1\r\n", encoding="utf-8-sig"
    )
    assert "COVID/P 1" in {item.patient for item in read_index(root).items}


def test_neighbours_in_a_series_of_names_stay_together():
    assert group_by_name("2020.02.10.20021584-p6-52%0.png") == group_by_name(
        "2020.02.10.20021584-p6-52%12.png"
    )
    assert group_by_name("Covid (41).png") == group_by_name("Covid (59).png")
    assert group_by_name("Covid (41).png") != group_by_name("Covid (99).png")
    assert group_by_name("36%1.jpg") != group_by_name("37%1.jpg")
    assert group_by_name("slice") == "slice"


@pytest.mark.parametrize("made", [(), ("CT_COVID",)])
def test_a_folder_of_another_layout_is_refused_with_what_is_missing(tmp_path, made):
    for folder in made:
        (tmp_path / folder).mkdir()
    with pytest.raises(DatasetError, match="CT_NonCOVID"):
        read_index(tmp_path)


def test_covid_ct_is_indexed_without_the_two_mislabelled_files(covid_ct):
    index = read_index(covid_ct)
    train, val = index.subset("train"), index.subset("val")
    assert (sum(i.label for i in train), sum(1 - i.label for i in train)) == (191, 232)
    assert (sum(i.label for i in val), sum(1 - i.label for i in val)) == (60, 58)
    assert {skip.path.name for skip in index.skipped} == {"71%0.jpg", "71%1.jpg"}
    assert not {item.patient for item in train} & {item.patient for item in val}


def test_official_lists_can_be_put_aside_but_never_the_test_list(phantom_dataset, tmp_path):
    lists = {"train": slice(0, 1), "val": slice(1, 2), "test": slice(2, 3)}
    root = _upstream(tmp_path, phantom_dataset, lists)
    assert read_index(root).splits == {"train", "val", "test"}
    aside = read_index(root, official_lists=False)
    assert aside.splits == {"test"}
    used = [item.path.name for side in split_for_training(aside, 0.2, seed=0) for item in side]
    assert "c.png" not in used
    assert len(used) == 22


def test_halves_follow_the_numbers_and_keep_neighbours_together(tmp_path):
    for folder in ("CT_COVID", "CT_NonCOVID"):
        (tmp_path / folder).mkdir()
        for number in range(1, 121):
            (tmp_path / folder / f"slice ({number}).png").write_bytes(b"")
    index = read_index(tmp_path)
    first, second = (index.subset(half) for half in ("first-half", "second-half"))
    assert set(first) | set(second) == set(index.items)
    assert not {item.patient for item in first} & {item.patient for item in second}
    for label in (0, 1):
        numbers = [
            {int(item.path.stem[7:-1]) for item in half if item.label == label}
            for half in (first, second)
        ]
        assert max(numbers[0]) < min(numbers[1])
        assert min(map(len, numbers)) >= 50


def test_a_folder_below_a_class_is_a_patient_and_system_files_are_none(tmp_path):
    for class_folder in ("CT_COVID", "CT_NonCOVID"):
        for patient in ("Patient (1)", "Patient (2)"):
            folder = tmp_path / class_folder / patient
            folder.mkdir(parents=True)
            for number in range(2):
                (folder / f"{number}.png").write_bytes(b"x")
            (folder / "Thumbs.db").write_bytes(b"x")
            (folder / ".DS_Store").write_bytes(b"x")
    index = read_index(tmp_path)
    assert len(index.items) == 8
    assert sorted({item.patient for item in index.items}) == [
        "COVID/Patient (1)",
        "COVID/Patient (2)",
        "NonCOVID/Patient (1)",
        "NonCOVID/Patient (2)",
    ]
    assert {item.path.name for item in index.items} == {"0.png", "1.png"}


def test_slices_without_covid_19_may_be_of_several_classes(three_classes, tmp_path):
    index = read_index(three_classes)
    assert index.classes == ("COVID", "Normal", "Striped")
    counted = Counter((item.class_name, item.label) for item in index.items)
    assert counted == {("COVID", 1): 10, ("Normal", 0): 10, ("Striped", 0): 10}
    for number in range(MOST_CLASSES):
        (tmp_path / f"CT_{number}").mkdir()
    (tmp_path / "CT_COVID").mkdir()
    with pytest.raises(DatasetError, match="are the most"):
        read_index(tmp_path)


def test_folders_that_no_class_can_be_called_by_are_told_and_left_out(three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    strange = ["CT_-", "CT_<b>", "CT_COVID_old", "CT_Covid19", "CT_Other", "CT_two words"]
    for name in (*strange, "Pneumonia"):
        shutil.copytree(data / "CT_Normal", data / name)
    (data / "CT_file").touch()
    index = read_index(data)
    assert index.classes == ("COVID", "Normal", "Striped")
    assert [skip.path.name for skip in index.skipped] == strange


def test_class_folders_that_some_disks_do_not_tell_apart_are_refused(three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    shutil.copytree(data / "CT_Normal", data / "CT_normal")
    with pytest.raises(DatasetError, match="capital letters"):
        read_index(data)


def test_a_patient_who_is_named_in_several_classes_is_one_patient(three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    rows = [f"{name},{letter}.png,{letter}" for name in ("Normal", "Striped") for letter in "abcde"]
    (data / "patients.csv").write_text("\n".join(["class,file,patient", *rows]))
    index = read_index(data)
    patients = {item.name: item.patient for item in index.items}
    assert patients["CT_Normal/a.png"] == patients["CT_Striped/a.png"]
    assert patients["CT_Normal/f.png"] != patients["CT_Striped/f.png"]
    training, validation = split_for_training(index, 0.2, seed=0)
    assert not {item.patient for item in training} & {item.patient for item in validation}
