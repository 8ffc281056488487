import csv
import shutil
import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest

from covidct.data.check import check_dataset
from covidct.data.check_text import as_json, as_text
from covidct.data.index import read_index
from covidct.data.near_duplicates import fingerprint, near_pairs
from covidct.data.splits import split_for_training
from covidct.errors import DatasetError
from covidct.imaging import CTSlice, read_slice
from covidct.imaging.phantom import phantom_slice

LETTERS = "abcdefghij"


@pytest.fixture(scope="session")
def pictures():
    """Twenty synthetic slices of different people: ten with lesions, ten without."""
    return [phantom_slice(400 + seed, 3 * (seed < 10), 192).ct_slice.pixels for seed in range(20)]


@pytest.fixture
def clean(pictures, tmp_path):
    """Two class folders without a fault, a patient a slice."""
    root = tmp_path / "data"
    for start, folder in ((0, "CT_COVID"), (10, "CT_NonCOVID")):
        (root / folder).mkdir(parents=True)
        for letter, pixels in zip(LETTERS, pictures[start:], strict=False):
            cv2.imwrite(str(root / folder / f"{letter}.png"), pixels)
    return root


@pytest.fixture
def listed(clean):
    """The same with official lists: a to g train, h and i validation, j test."""
    for name in ("COVID", "NonCOVID"):
        folder = clean / "Data-split" / name
        folder.mkdir(parents=True)
        for split, letters in (("train", "abcdefg"), ("val", "hi"), ("test", "j")):
            lines = "".join(f"{letter}.png\n" for letter in letters)
            (folder / f"{split}CT_{name}.txt").write_text(lines)
    return clean


def _disguised(pixels):
    """The same slice as another journal would print it: smaller, with a margin, as JPEG."""
    rows, columns = pixels.shape
    small = cv2.resize(pixels, (columns * 3 // 4, rows * 3 // 4), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(small, 9, 14, 22, 5, cv2.BORDER_CONSTANT, value=0)
    return cv2.imencode(".jpg", framed, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()


def _write_as(ending, files):
    """Put pictures into files of another format."""
    for file in list(files):
        pixels = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        file.unlink()
        cv2.imwrite(str(file.with_suffix(ending)), pixels)


def _names(items):
    return {item.name for item in items}


def test_a_clean_data_set_has_nothing_to_report(clean):
    report = check_dataset(clean)
    assert report.duplicates == report.near_duplicates == report.contradictions == ()
    assert report.leaks == report.exclusions == report.unreadable == report.left_out == ()
    assert report.outside_use == ()
    assert sum(count.slices for count in report.counts) == 20
    assert {count.split for count in report.counts} == {"training", "validation"}
    assert {item.class_name for item in report.samples} == {"COVID", "NonCOVID"}
    assert not report.official_lists
    assert not report.patients_known
    assert report.shortcut_of_others is None
    assert "shortcut_of_others" not in as_json(report)


def test_each_class_is_counted_and_shown(three_classes):
    report = check_dataset(three_classes)
    training, validation = split_for_training(read_index(three_classes), 0.2, 0)
    for split, items in (("training", training), ("validation", validation)):
        found = {c.class_name: (c.slices, c.patients) for c in report.counts if c.split == split}
        assert list(found) == ["COVID", "Normal", "Striped"]
        for name, counted in found.items():
            those = [item for item in items if item.class_name == name]
            assert counted == (len(those), len({item.patient for item in those}))
    assert Counter(item.class_name for item in report.samples) == dict.fromkeys(found, 4)
    assert report.contradictions == report.leaks == ()


def test_one_picture_in_two_classes_without_covid_19_is_a_contradiction(three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    picture = read_slice(data / "CT_Normal" / "c.png").pixels
    (data / "CT_Striped" / "z.jpg").write_bytes(_disguised(picture))
    report = check_dataset(data)
    both = {"CT_Normal/c.png", "CT_Striped/z.jpg"}
    assert [_names(group) for group in report.contradictions] == [both]
    assert set(report.exclusions) == both


def test_a_class_of_few_patients_hinders_nothing(three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    for file in (data / "CT_Striped").glob("[d-j].png"):
        file.unlink()
    report = check_dataset(data)
    assert report.shortcut_of_others.sentence.startswith("Too few patients")
    counts = {(one.split, one.class_name): one.slices for one in report.counts}
    assert counts["training", "Striped"] + counts["validation", "Striped"] == 3
    assert min(counts["validation", "COVID"], counts["validation", "Normal"]) > 0


def test_formats_that_tell_classes_without_covid_19_apart_are_a_warning(three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    _write_as(".bmp", data.glob("CT_*/*.png"))
    assert not check_dataset(data).shortcut_of_others.is_warning
    _write_as(".jpg", [*data.glob("CT_Striped/*"), *data.glob("CT_COVID/[a-e].bmp")])
    report = check_dataset(data)
    found = report.shortcut_of_others
    assert found.is_warning and found.auc > 0.9
    assert found.sentence in as_text(report)
    assert as_json(report)["shortcut_of_others"]["auc"] == found.auc


def test_a_class_of_too_few_patients_to_be_asked_of_is_named(three_classes, tmp_path):
    data = shutil.copytree(three_classes, tmp_path / "data")
    (data / "CT_Scar").mkdir()
    for name in "abc":
        shutil.copy(data / "CT_Normal" / f"{name}.png", data / "CT_Scar" / f"scar {name}.png")
    found = check_dataset(data).shortcut_of_others
    assert found.auc is not None
    assert found.sentence.endswith("Not asked of, for too few patients: Scar.")


def test_what_is_no_lung_slice_is_named_and_stays_in_use(clean, no_lungs):
    (clean / "CT_NonCOVID" / "page.png").write_bytes(no_lungs)
    report = check_dataset(clean)
    (found,) = report.outside_use
    assert found.path.name == "page.png"
    assert sum(count.slices for count in report.counts) == 21
    assert "page.png" in as_text(report)
    assert as_json(report)["outside_use"][0]["reason"] == found.reason


def test_counts_are_those_of_the_split_that_training_makes(clean):
    for seed in range(3):
        training, validation = split_for_training(read_index(clean), 0.3, seed)
        counts = check_dataset(clean, validation_share=0.3, seed=seed).counts
        for split, items in (("training", training), ("validation", validation)):
            by_class = {c.class_name: c.slices for c in counts if c.split == split}
            assert by_class == {
                name: sum(item.class_name == name for item in items)
                for name in ("COVID", "NonCOVID")
            }


def test_unreadable_files_are_listed_with_their_reason(clean):
    (clean / "CT_COVID" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (clean / "CT_COVID" / "notes.txt").write_text("not a slice")
    report = check_dataset(clean)
    assert {skip.path.name for skip in report.unreadable} == {"broken.png", "notes.txt"}
    assert all(skip.reason.endswith(".") for skip in report.unreadable)


def test_the_same_pixels_in_another_file_are_a_duplicate(clean, pictures):
    colours = cv2.cvtColor(pictures[2], cv2.COLOR_GRAY2BGRA)
    cv2.imwrite(str(clean / "CT_COVID" / "with alpha.png"), colours)
    report = check_dataset(clean)
    assert [_names(group) for group in report.duplicates] == [
        {"CT_COVID/c.png", "CT_COVID/with alpha.png"}
    ]
    assert report.near_duplicates == ()
    assert len(report.leaks) == len(report.exclusions) == 1


def test_a_disguised_picture_is_a_near_duplicate(clean, pictures):
    (clean / "CT_COVID" / "figure.jpg").write_bytes(_disguised(pictures[2]))
    report = check_dataset(clean)
    assert [_names(group) for group in report.near_duplicates] == [
        {"CT_COVID/c.png", "CT_COVID/figure.jpg"}
    ]
    assert report.duplicates == ()


def test_one_picture_under_both_labels_is_dropped_on_both_sides(listed, pictures):
    (listed / "CT_NonCOVID" / "a.png").write_bytes(_disguised(pictures[3]))
    report = check_dataset(listed)
    both = {"CT_COVID/d.png", "CT_NonCOVID/a.png"}
    assert [_names(group) for group in report.contradictions] == [both]
    assert set(report.exclusions) == both
    assert report.leaks == ()


@pytest.mark.parametrize(("held_out", "words"), [("h", "in validation"), ("j", "set aside")])
def test_a_picture_on_both_sides_of_the_lists_is_dropped_from_training(
    listed, pictures, held_out, words
):
    folder = listed / "CT_COVID"
    (folder / f"{held_out}.png").write_bytes(_disguised(pictures[1]))
    report = check_dataset(listed)
    (leak,) = report.leaks
    assert _names(leak.items) == {"CT_COVID/b.png", f"CT_COVID/{held_out}.png"}
    assert "1 in training" in leak.sentence
    assert words in leak.sentence
    assert report.exclusions == ("CT_COVID/b.png",)


def test_a_picture_twice_on_one_side_of_the_lists_is_no_leak(listed):
    shutil.copy(listed / "CT_COVID" / "a.png", listed / "CT_COVID" / "b.png")
    report = check_dataset(listed)
    assert len(report.duplicates) == 1
    assert report.leaks == report.exclusions == ()


def test_files_in_no_list_are_set_aside_and_leak_nothing(listed):
    shutil.copy(listed / "CT_COVID" / "h.png", listed / "CT_COVID" / "unlisted.png")
    report = check_dataset(listed)
    assert report.leaks == ()
    assert {(c.class_name, c.slices) for c in report.counts if c.split == "set aside"} == {
        ("COVID", 2),
        ("NonCOVID", 1),
    }


def test_a_patient_on_both_sides_of_the_lists_is_dropped_from_training(listed):
    with (listed / "patients.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("class", "file", "split", "patient"))
        for letter in LETTERS:
            table.writerow(("COVID", f"{letter}.png", "", "P 1" if letter in "abh" else letter))
    report = check_dataset(listed)
    (leak,) = report.leaks
    assert leak.sentence == "One patient, COVID/P 1: 2 in training, 1 in validation."
    assert report.exclusions == ("CT_COVID/a.png", "CT_COVID/b.png")
    assert not report.patients_known


def test_guessed_patients_are_no_leak_of_official_lists(listed):
    for name in ("COVID", "NonCOVID"):
        for number, letter in enumerate(LETTERS):
            folder = listed / f"CT_{name}"
            (folder / f"{letter}.png").rename(folder / f"scan {number}.png")
        for listing in (listed / "Data-split" / name).iterdir():
            lines = [f"scan {LETTERS.index(line[0])}.png" for line in listing.read_text().split()]
            listing.write_text("\n".join(lines))
    report = check_dataset(listed)
    assert report.official_lists
    assert report.leaks == ()


def test_without_the_exclusions_nothing_leaks_at_any_seed(clean, pictures):
    rng = np.random.default_rng(0)
    for copy, source in enumerate(rng.integers(0, 20, 12)):
        folder = "CT_COVID" if source < 10 else "CT_NonCOVID"
        data = _disguised(pictures[source])
        (clean / folder / f"{'klmnopqrstuvwxyz'[copy]}.jpg").write_bytes(data)
    (clean / "CT_NonCOVID" / "z.jpg").write_bytes(_disguised(pictures[0]))
    found = check_dataset(clean)
    assert found.leaks
    assert len(found.contradictions) == 1
    assert check_dataset(clean, seed=5).exclusions == found.exclusions
    after = check_dataset(clean, exclude=found.exclusions)
    assert after.leaks == after.contradictions == after.exclusions == ()
    index = read_index(clean, found.exclusions)
    for seed in range(4):
        training, validation = split_for_training(index, 0.3, seed)
        items = training + validation
        prints = np.stack([fingerprint(read_slice(item.path)) for item in items])
        assert all((a < len(training)) == (b < len(training)) for a, b in near_pairs(prints)), (
            "a pair was split"
        )


def test_as_few_as_possible_are_excluded(clean):
    for letter in "klm":
        shutil.copy(clean / "CT_COVID" / "a.png", clean / "CT_COVID" / f"{letter}.png")
    report = check_dataset(clean)
    assert len(report.exclusions) == 3
    assert len(check_dataset(clean, exclude=report.exclusions).duplicates) == 0


def test_formats_that_give_the_class_away_are_a_warning(clean, pictures):
    for letter, pixels in zip(LETTERS, pictures[10:], strict=True):
        (clean / "CT_NonCOVID" / f"{letter}.png").unlink()
        cv2.imwrite(str(clean / "CT_NonCOVID" / f"{letter}.jpg"), pixels)
    shortcut = check_dataset(clean).shortcut
    assert shortcut.auc > 0.9
    assert shortcut.is_warning
    assert "collected in different ways" in shortcut.sentence


def test_files_of_one_kind_are_no_warning(clean):
    for file in clean.rglob("*.png"):
        pixels = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        file.write_bytes(cv2.imencode(".bmp", pixels)[1].tobytes())
    shortcut = check_dataset(clean).shortcut
    assert shortcut.auc == pytest.approx(0.5, abs=0.1)
    assert not shortcut.is_warning


def test_too_few_patients_to_measure_a_shortcut_are_said_to_be(clean):
    for folder in ("CT_COVID", "CT_NonCOVID"):
        for number, letter in enumerate(LETTERS):
            name = f"b {number}.png" if number else "a.png"
            (clean / folder / f"{letter}.png").rename(clean / folder / f"new {name}")
    report = check_dataset(clean, validation_share=0.5)
    assert {c.patients for c in report.counts} == {1}
    assert report.shortcut.auc is None
    assert not report.shortcut.is_warning
    assert report.shortcut.sentence.startswith("Too few patients")


def test_progress_sees_every_file(clean):
    seen = []
    check_dataset(clean, progress=lambda items: (seen.append(item) or item for item in items))
    assert len(seen) == 20


def test_a_class_without_a_readable_slice_is_refused(clean):
    for file in (clean / "CT_COVID").iterdir():
        file.write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="both classes"):
        check_dataset(clean)


def test_a_fingerprint_sees_through_window_margin_size_and_compression(pictures):
    prints = np.stack([fingerprint(CTSlice(pixels, None, "PNG", ())) for pixels in pictures])
    for i, pixels in enumerate(pictures):
        paler = np.clip(pixels * 0.8 + 30, 0, 255).astype(np.uint8)
        for changed in (read_slice(_disguised(pixels)), CTSlice(paler, None, "PNG", ())):
            distances = np.bitwise_count(prints ^ fingerprint(changed)).sum(axis=1)
            assert distances[i] <= 40
            assert np.delete(distances, i).min() > 40


def test_what_the_page_needs_first_does_without_tensorflow(root):
    names = "covidct.home, covidct.data.fetch, covidct.data.zip_dataset, covidct.data.check"
    code = f"import sys, {names}; print({{'tensorflow', 'keras', 'streamlit'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_covid_ct_shows_what_is_known_of_it(covid_ct):
    report = check_dataset(covid_ct)
    assert {(c.split, c.class_name, c.slices) for c in report.counts} == {
        ("training", "COVID", 190),
        ("training", "NonCOVID", 232),
        ("validation", "COVID", 60),
        ("validation", "NonCOVID", 58),
    }
    (unreadable,) = report.unreadable
    assert "148 × 61" in unreadable.reason
    assert {skip.path.name for skip in report.left_out} == {"71%0.jpg", "71%1.jpg"}
    assert report.shortcut.auc > 0.9
    assert {"CT_NonCOVID/114.png", "CT_NonCOVID/116.png", "CT_NonCOVID/118.png"} in [
        _names(group) for group in report.near_duplicates
    ]
    assert {
        "CT_COVID/2020.03.22.20040782-p24-1533-2.png",
        "CT_COVID/2020.03.22.20040782-p25-1541.png",
    } in [_names(group) for group in report.near_duplicates]
    assert report.leaks == report.contradictions == report.exclusions == ()
    assert report.official_lists
    assert report.patients_known
