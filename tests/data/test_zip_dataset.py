import io
import stat
import struct
import tracemalloc
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest

from covidct.data.classes import MOST_CLASSES, is_class_name
from covidct.data.index import read_index
from covidct.data.zip_dataset import (
    ClassFolder,
    guess_classes,
    list_class_folders,
    name_classes,
    unpack_dataset,
    unpack_folder,
)
from covidct.errors import DatasetError
from covidct.zip_files import is_junk

RNG = np.random.default_rng(0)
SLICES = {
    f"{folder}/{name}.png": RNG.bytes(700)
    for folder in ("CT_COVID", "CT_NonCOVID")
    for name in ("a", "b (1)", "ü%0")
}


def _zip(files, compression=zipfile.ZIP_DEFLATED):
    """An archive in memory; names may be strings or ZipInfos."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    return out


def _contents(folder):
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def place(tmp_path):
    """A folder in which nothing but the data set may ever appear."""
    place = tmp_path / "place"
    place.mkdir()
    return place


def _assert_refused(archive, place, reason, classes=None):
    with pytest.raises(DatasetError, match=reason) as refusal:
        unpack_dataset(archive, place / "data", classes)
    assert str(refusal.value).endswith(".")
    assert list(place.parent.rglob("*")) == [place]


def test_two_class_folders_become_a_data_set(place):
    root = unpack_dataset(_zip(SLICES), place / "data")
    assert root == place / "data"
    assert _contents(root) == SLICES
    assert list(place.iterdir()) == [root]


def test_phantoms_come_out_as_they_went_in(phantom_dataset, place):
    files = _contents(phantom_dataset)
    index = read_index(unpack_dataset(_zip(files), place / "data"))
    assert len(index.items) == 24


def test_folders_deep_inside_with_other_names_and_junk_beside_them(place):
    archive = _zip(
        {
            "my set/": b"",
            "my set/Positive\\1.dcm": b"one",
            "my set/healthy/2.dcm": b"two",
            "my set/healthy/notes.txt": b"no slice",
            "my set/healthy/.DS_Store": b"junk",
            "__MACOSX/my set/Positive/._1.dcm": b"junk",
            "my set/healthy/Thumbs.db": b"junk",
            "my set/cover.png": b"beside the folders",
            "cover.png": b"beside all folders",
        }
    )
    assert list_class_folders(archive) == (
        ClassFolder("my set", 1),
        ClassFolder("my set/Positive", 1),
        ClassFolder("my set/healthy", 1),
    )
    root = unpack_dataset(archive, place / "data", ("my set/Positive", "my set/healthy"))
    assert _contents(root) == {"CT_COVID/1.dcm": b"one", "CT_NonCOVID/2.dcm": b"two"}


def test_patients_and_official_lists_come_along(place):
    extras = {
        "patients.csv": b"class,file,split,patient\n",
        "Data-split/COVID/trainCT_COVID.txt": b"a.png\n",
    }
    files = {f"set/Images-processed/{name}": data for name, data in SLICES.items()}
    files |= {f"set/{name}": data for name, data in extras.items()}
    root = unpack_dataset(_zip(files), place / "data")
    assert _contents(root) == SLICES | extras


def test_masks_come_along_and_are_no_classes(place):
    masks = {f"some/{name}/a.png": RNG.bytes(700) for name in ("lung-masks", "lesion-masks")}
    files = {f"some/{name}": data for name, data in SLICES.items()} | masks
    assert {folder.name for folder in list_class_folders(_zip(files))} == {
        "some/CT_COVID",
        "some/CT_NonCOVID",
    }
    held = _contents(unpack_dataset(_zip(files), place / "data"))
    assert held == SLICES | {name.removeprefix("some/"): data for name, data in masks.items()}


def test_masks_of_which_there_are_two_folders_stay_behind(place):
    masks = {f"{place}/lung-masks/a.png": RNG.bytes(700) for place in ("one", "two")}
    assert _contents(unpack_dataset(_zip(SLICES | masks), place / "data")) == SLICES


def test_lists_of_which_there_are_two_stay_behind(place):
    twice = {f"{at}/patients.csv": b"class,file,split,patient\n" for at in ("set", "set/more")}
    root = unpack_dataset(_zip(SLICES | twice), place / "data")
    assert _contents(root) == SLICES


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("CT_NonCOVID", "CT_COVID"), ("CT_COVID", "CT_NonCOVID")),
        (("x/COVID", "x/non-COVID"), ("x/COVID", "x/non-COVID")),
        (("sars-cov-2", "Normal"), ("sars-cov-2", "Normal")),
        (("negative", "positive"), ("positive", "negative")),
        (("COVID", "Pneumonia"), ("COVID", "Pneumonia")),
        (("no_covid/COVID", "covid/healthy"), ("no_covid/COVID", "covid/healthy")),
        (("group A", "group B"), None),
        (("Normal", "COVID", "my set"), ("COVID", "Normal", "my set")),
        (("x/CT_COVID", "x/CT_NonCOVID", "x/CT_P"), ("x/CT_COVID", "x/CT_NonCOVID", "x/CT_P")),
        (("COVID", "COVID-2"), None),
        (("Normal", "COVID", "COVID-2"), None),
        (("Normal", "Pneumonia", "Nodules"), None),
        (("COVID",), None),
        (("train/CT_COVID", "train/CT_NonCOVID", "test/CT_COVID"), None),
        ((), None),
    ],
)
def test_classes_are_guessed_only_where_the_names_say_so(names, classes):
    assert guess_classes(names) == classes


def test_classes_that_cannot_be_guessed_are_asked_for_and_can_be_chosen(place):
    files = {f"group {group}/{i}.png": b"slice" for group in "AB" for i in range(3)}
    _assert_refused(_zip(files), place, "Found: group A, group B.*choose")
    _assert_refused(_zip(files), place, "Two different folders", ("group A", "group C"))
    _assert_refused(_zip(files), place, "Two different folders", ("group A", "group A"))
    root = unpack_dataset(_zip(files), place / "data", ("group B", "group A"))
    assert len(list((root / "CT_COVID").iterdir())) == 3


def test_several_other_folders_become_classes_by_their_own_names(place):
    files = {f"set/{name}": data for name, data in SLICES.items()} | {
        "set/Neumonía (vírica)/a.png": b"third",
        "set/Neumonía (vírica)/notes.txt": b"no slice",
        "set/CT_Normal/a.png": b"fourth",
        "set/CT_Unlabelled/a.png": b"whose class nobody knows",
    }
    lists = {
        f"Data-split/{name}/trainCT_{name}.txt": b"a.png"
        for name in ("COVID", "NonCOVID", "Normal", "Nodules")
    }
    root = unpack_dataset(_zip(files | lists), place / "data")
    lists.pop("Data-split/Nodules/trainCT_Nodules.txt")
    assert _contents(root) == SLICES | lists | {
        "CT_Neumonia-virica/a.png": b"third",
        "CT_Normal/a.png": b"fourth",
        "CT_Unlabelled/a.png": b"whose class nobody knows",
    }
    assert read_index(root).classes == ("COVID", "Neumonia-virica", "NonCOVID", "Normal")


def test_folders_can_be_left_out_and_two_that_remain_are_two_classes(place):
    files = {f"{name}/1.png": name.encode() for name in ("COVID", "healthy", "Pneumonia", "cover")}
    chosen = "COVID", "Pneumonia", "healthy"
    assert _contents(unpack_dataset(_zip(files), place / "three", chosen)) == {
        "CT_COVID/1.png": b"COVID",
        "CT_Pneumonia/1.png": b"Pneumonia",
        "CT_healthy/1.png": b"healthy",
    }
    assert _contents(unpack_dataset(_zip(files), place / "two", ("COVID", "Pneumonia"))) == {
        "CT_COVID/1.png": b"COVID",
        "CT_NonCOVID/1.png": b"Pneumonia",
    }


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        (("train/Normal", "test/normal"), "train/Normal and test/normal would be the same class"),
        (("test/CT_Covid", "Normal"), "like the folder test/CT_Covid"),
        (("肺炎", "Normal"), "like the folder 肺炎"),
        (("unlabelled", "Normal"), "like the folder unlabelled"),
        (("CT_", "Normal"), "like the folder CT_"),
        ([f"class {i}" for i in range(MOST_CLASSES)], "13 folders .* 12 are the most"),
    ],
)
def test_folders_that_cannot_be_classes_beside_each_other_are_refused(others, reason, place):
    files = {f"{name}/1.png": b"slice" for name in ("x/COVID", *others)}
    _assert_refused(_zip(files), place, reason, ("x/COVID", *others))


def test_what_a_class_is_called_is_fit_for_it(place):
    names = [f"{sign}{i}{sign * 50}" for i, sign in enumerate("/ .-_<'%ß")][1:]
    names += ["n" * 60, "CT_CT_Normal", "12"]
    made = name_classes(["COVID", *names])
    assert set(made) == {"COVID", *names}
    assert all(map(is_class_name, made.values())), made


@pytest.mark.parametrize(
    ("count", "found"),
    [
        (0, "none"),
        (1, "f0"),
        (6, "f0, f1, f2, f3, f4, f5"),
        (7, "f0, f1, f2, f3, f4, f5 and 1 more"),
        (9, "f0, f1, f2, f3, f4, f5 and 3 more"),
    ],
)
def test_up_to_six_folders_are_named(count, found, place):
    _assert_refused(_zip({f"f{i}/1.png": b"x" for i in range(count)}), place, f"Found: {found}\\.")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/CT_COVID/a.png",
        "../CT_COVID/a.png",
        "CT_COVID/../../a.png",
        "CT_COVID/..",
        "..\\CT_COVID\\a.png",
        "\\\\server\\CT_COVID\\a.png",
        "C:/CT_COVID/a.png",
        "c:a.png",
    ],
)
def test_paths_that_lead_outside_are_refused(name, place):
    _assert_refused(_zip(SLICES | {name: b"evil"}), place, "leads out")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
@pytest.mark.parametrize("name", ["CT_COVID/link.png", "CT_COVID/link/", "CT_OTHER"])
def test_links_and_devices_are_refused(kind, name, place):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    files = {**SLICES, info: b"" if name.endswith("/") else b"/etc/passwd"}
    _assert_refused(_zip(files), place, "a link or a device")


def test_files_and_folders_that_say_what_they_are_are_taken(place):
    folder, file = zipfile.ZipInfo("CT_COVID/"), zipfile.ZipInfo("CT_COVID/d.zip.png")
    for info, kind in ((folder, stat.S_IFDIR | 0o755), (file, stat.S_IFREG | 0o644)):
        info.create_system = 3
        info.external_attr = kind << 16
    root = unpack_dataset(_zip({folder: b"", file: b"slice", **SLICES}), place / "data")
    assert _contents(root) == {"CT_COVID/d.zip.png": b"slice", **SLICES}


@pytest.mark.parametrize(
    ("path", "is_so"),
    [
        ("a/.hidden.png", True),
        (".hidden/a.png", True),
        ("__MACOSX/a.png", True),
        ("a/Thumbs.DB", True),
        ("desktop.ini", True),
        ("a.b/c.png", False),
        ("thumbs.db/c.png", False),
        ("MACOSX/c.png", False),
    ],
)
def test_hidden_files_and_what_file_managers_leave_are_junk(path, is_so):
    assert is_junk(PurePosixPath(path)) == is_so


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("inner.zip", b""),
        ("CT_COVID/scan.nii.gz", b""),
        ("CT_COVID/looks-like-a-slice.png", b"PK\x03\x04"),
        ("CT_COVID/looks-like-a-slice.png", b"\x1f\x8b\x08"),
        ("CT_COVID/looks-like-a-slice.png", bytes(257) + b"ustar\0"),
    ],
)
def test_archives_in_the_archive_are_refused(name, start, place):
    _assert_refused(_zip(SLICES | {name: start + RNG.bytes(300)}), place, "another archive")


def test_as_many_members_as_are_told_are_taken_and_no_more(place):
    files = {f"CT_COVID/{i}.png": b"" for i in range(20_000)}
    assert list_class_folders(_zip(files, zipfile.ZIP_STORED)) == (ClassFolder("CT_COVID", 20_000),)
    files["CT_COVID/one more.png"] = b""
    _assert_refused(_zip(files, zipfile.ZIP_STORED), place, "20,001 entries; at most 20,000")


@pytest.mark.parametrize(("more", "reason"), [(0, "damaged"), (1, "directory of the ZIP")])
def test_a_directory_may_have_eight_megabytes(more, reason, place):
    directory = bytes(8 * 1024 * 1024 + more)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), 0, 0)
    _assert_refused(io.BytesIO(directory + end), place, reason)


def test_a_long_directory_is_refused_before_it_is_read(place):
    """Python reads as many bytes of it as are claimed, whatever the count says."""
    entry = struct.pack("<4s4B4H3L5H2L", b"PK\1\2", 20, 0, 20, 0, *[0] * 7, 1, *[0] * 6)
    directory = (entry + b"a") * 400_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), 0, 0)
    archive = io.BytesIO(b"PK\3\4" + directory + end)
    tracemalloc.start()
    _assert_refused(archive, place, "directory of the ZIP")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < len(directory)


def test_a_bomb_is_refused(place):
    bomb = SLICES | {"CT_COVID/bomb.png": bytes(20 * 1024**2)}
    _assert_refused(_zip(bomb), place, "more than 100 times")


def test_up_to_a_megabyte_may_be_packed_at_any_ratio(place):
    blank = {"CT_COVID/a.png": bytes(1024 * 1024 - 5), "CT_NonCOVID/b.png": b"slice"}
    assert _contents(unpack_dataset(_zip(blank), place / "data")) == blank
    with pytest.raises(DatasetError, match="more than 100 times"):
        list_class_folders(_zip(blank | {"CT_NonCOVID/c.png": b"x"}))


def test_what_unpacks_to_a_hundred_times_its_size_is_taken_and_no_more():
    archive = _zip({"CT_COVID/a.png": b"", "CT_COVID/b.png": RNG.bytes(20_000)})
    times = 100 * len(archive.getvalue()) - 20_000
    assert list_class_folders(_declaring(archive, "CT_COVID/a.png", times))
    with pytest.raises(DatasetError, match="more than 100 times"):
        list_class_folders(_declaring(archive, "CT_COVID/a.png", times + 1))


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ((2**31, 2**31 - 2800), "more than 100 times"),
        ((2**31, 2**31 - 2799), "takes 4.0 GB; at most 4 GB"),
        ((2**32 - 2, 2**32 - 2), "takes 8.0 GB; at most 4 GB"),
    ],
)
def test_more_than_the_disk_should_take_is_refused(sizes, reason, place):
    archive = _zip(SLICES)  # six files of 700 bytes
    for name, size in zip(("CT_COVID/a.png", "CT_COVID/b (1).png"), sizes, strict=True):
        archive = _declaring(archive, name, size)
    _assert_refused(archive, place, reason)


@pytest.mark.parametrize("size", [10, 701, 5000])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_sizes_that_lie_are_refused(size, compression, place):
    archive = _declaring(_zip(SLICES, compression), "CT_COVID/a.png", size)
    _assert_refused(archive, place, "damaged or incomplete")


def test_members_that_overlap_are_refused(place):
    data = _zip(SLICES, zipfile.ZIP_STORED).getvalue()
    whole = len(data)
    archive = _declaring(io.BytesIO(data), "CT_COVID/a.png", whole, offset=20)
    _assert_refused(archive, place, "overlap")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_archive_is_refused(share, place):
    data = _zip(SLICES).getvalue()
    _assert_refused(io.BytesIO(data[: int(share * len(data))]), place, "damaged or incomplete")


def test_a_flipped_byte_is_noticed(place):
    data = bytearray(_zip(SLICES).getvalue())
    data[data.index(SLICES["CT_COVID/b (1).png"][:20]) + 300] ^= 1
    _assert_refused(io.BytesIO(data), place, "damaged or incomplete")


def test_random_damage_is_a_sentence_or_a_whole_data_set(place):
    whole = _zip(SLICES).getvalue()
    for seed in range(300):
        rng = np.random.default_rng(seed)
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 4):
            data[at] = rng.integers(256)
        try:
            root = unpack_dataset(io.BytesIO(data), place / f"data {seed}")
        except DatasetError:
            continue
        assert set(_contents(root).values()) <= set(SLICES.values())
    assert not [p for p in place.iterdir() if not p.name.startswith("data")]


def test_a_locked_archive_is_refused(place):
    data = bytearray(_zip(SLICES).getvalue())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    _assert_refused(io.BytesIO(data), place, "password")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_unusual_methods_are_refused(method, place):
    _assert_refused(_zip(SLICES, method), place, "unusual method")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_files_of_one_name_are_refused(place):
    out = _zip(SLICES)
    with zipfile.ZipFile(out, "a") as zipped:
        zipped.writestr("CT_COVID/a.png", b"another")
    _assert_refused(out, place, "same name")


def test_a_folder_that_is_there_is_left_alone(place):
    (place / "data").mkdir()
    (place / "data" / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="already"):
        unpack_dataset(_zip(SLICES), place / "data")
    assert _contents(place) == {"data/mine.txt": b"mine"}


def test_a_name_that_the_disk_refuses_leaves_nothing(place):
    long = _zip(SLICES | {f"CT_COVID/{'x' * 300}.png": b"x"})
    _assert_refused(long, place, "not be unpacked: File name too long. Nothing was kept")


def test_one_folder_can_be_had_alone(place):
    root = unpack_folder(_zip(SLICES), "CT_COVID", place / "some")
    assert sorted(f.name for f in root.iterdir()) == ["a.png", "b (1).png", "ü%0.png"]
    with pytest.raises(DatasetError, match="one folder CT_Other"):
        unpack_folder(_zip(SLICES), "CT_Other", place / "other")
    twice = SLICES | {"again/CT_COVID/a.png": b"another"}
    with pytest.raises(DatasetError, match="one folder CT_COVID"):
        unpack_folder(_zip(twice), "CT_COVID", place / "other")
    noted = SLICES | {"CT_COVID/notes.txt": b"no slice"}
    assert _contents(unpack_folder(_zip(noted), "CT_COVID", place / "deep" / "other")) == {
        name.removeprefix("CT_COVID/"): data
        for name, data in SLICES.items()
        if name.startswith("CT_COVID/")
    }


def _declaring(archive, name, value, offset=24):
    """The archive with a field of a member's entry in the directory overwritten (24: size)."""
    data = bytearray(archive.getvalue())
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    data[at + offset : at + offset + 4] = struct.pack("<I", value)
    return io.BytesIO(data)


def test_two_folders_called_as_those_of_classes_keep_names_lists_and_patients(place):
    files = {
        "CT_COVID/1.png": b"slice",
        "CT_Normal/1.png": b"slice",
        "patients.csv": b"class,file,patient\nNormal,1.png,p\n",
        "Data-split/Normal/trainCT_Normal.txt": b"1.png\n",
    }
    data = unpack_dataset(_zip(files), place / "set")
    items = {item.name: item for item in read_index(data).items}
    assert items["CT_Normal/1.png"].patient.endswith("/p")
    assert items["CT_Normal/1.png"].split == "train"
