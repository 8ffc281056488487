import json

import cv2
import numpy as np
import pytest

from covidct.errors import DatasetError
from covidct.evaluation.audit.robustness import CHANGES, label_flips, probabilities_after
from covidct.evaluation.audit.run import audit
from covidct.evaluation.audit.text import POOLED, SCORE, as_text
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.readers import read_slice

LETTERS = "abcdefghijklmnop"


def write_dataset(root, draw, slices=16):
    """A patient a slice; `draw` gives the pixels from a seed of its own and the class."""
    for start, name in ((0, "CT_COVID"), (100, "CT_NonCOVID")):
        (root / name).mkdir(parents=True)
        for seed in range(slices):
            pixels = draw(start + seed, name == "CT_COVID")
            cv2.imwrite(str(root / name / f"{LETTERS[seed]}.png"), pixels)
    return root


@pytest.fixture(scope="module")
def framed(tmp_path_factory):
    """The slices of one class have a white margin; otherwise the classes are alike."""

    def draw(seed, covid):
        pixels = phantom_slice(seed, size=160).ct_slice.pixels
        return cv2.copyMakeBorder(pixels, *[6 * covid] * 4, cv2.BORDER_CONSTANT, value=255)

    return write_dataset(tmp_path_factory.mktemp("framed"), draw)


@pytest.fixture(scope="module")
def deaf(linear_classifier):
    return linear_classifier(np.zeros((48, 64)))


@pytest.fixture(scope="module")
def of_framed(deaf, framed, tmp_path_factory):
    out = tmp_path_factory.mktemp("audit")
    return audit(deaf, framed, "all", out), out


def forest(figures, features, on):
    (row,) = [r for r in figures["forests"] if (r["features"], r["on"]) == (features, on)]
    return row


def test_a_border_that_tells_the_class_is_found_in_the_file_and_not_in_the_networks_pixels(
    of_framed,
):
    figures, _ = of_framed
    assert forest(figures, "border", "file")["roc_auc_ci95"][0] > 0.9
    assert forest(figures, "size", "file")["roc_auc"] > 0.9
    assert forest(figures, "file format", "file")["roc_auc"] <= 0.6
    assert forest(figures, "border, shape and size", "network pixels")["roc_auc_ci95"][0] < 0.6


def test_a_network_that_hears_nothing_flips_nothing_and_tells_nothing(of_framed):
    figures, _ = of_framed
    assert [row["flipped"] for row in figures["flips"]] == [0] * 12
    assert all(row["met"] and row["n"] == 32 for row in figures["flips"])
    assert {row["roc_auc"] for row in figures["anatomy"]} == {0.5}


def test_it_is_told_which_way_verdicts_turn(linear_classifier, phantom_dataset):
    (mirror,) = (change for change in CHANGES if change.name == "mirror")
    slices = [read_slice(file) for file in sorted(phantom_dataset.glob("*/*.png"))]

    def turned(to_right):
        weights = np.full((48, 64), 1 / 48 / 64)
        weights[:, :32] *= -1
        classifier = linear_classifier(weights * to_right)
        before = [one.prediction.probability for one in classifier.predict_many(slices)]
        after = probabilities_after(classifier, slices, mirror)
        patients = np.arange(len(slices)).astype(str)
        return label_flips(mirror, classifier.card.calibration, before, after, patients)

    one, other = turned(1), turned(-1)
    assert one["flipped"] == other["flipped"] > 12
    assert one["to_positive"] + other["to_positive"] == one["flipped"]
    assert one["to_positive"] != other["to_positive"]


def test_what_is_written_is_what_is_returned_and_as_agreed(of_framed):
    figures, out = of_framed
    assert json.loads((out / "audit.json").read_text()) == figures
    assert (figures["split"], figures["n"], figures["patients"]) == ("all", 32, 32)
    assert figures["skipped"] == []
    judged = {"target", "met"}
    for row in figures["forests"]:
        assert set(row) == {"features", "on", "roc_auc", "roc_auc_ci95"} | judged
        assert 0 <= row["roc_auc_ci95"][0] <= row["roc_auc"] <= row["roc_auc_ci95"][1] <= 1
        assert (row["target"] is None) == (row["met"] is None)
    assert {r["features"] for r in figures["forests"] if r["target"] == 0.6} == {
        "border, shape and size"
    }
    for row in figures["anatomy"]:
        assert set(row) == {"shown", "n", "roc_auc", "roc_auc_ci95"} | judged
    assert {r["shown"]: r["target"] for r in figures["anatomy"]} == {
        "everything": None,
        "all but the lungs": 0.6,
        "only the lungs": None,
        "all, with opacities painted out": None,
    }
    assert [(row["of"], row["drawn"]) for row in figures["painted"]] == [("all", False)] * 2
    assert "told_apart" not in figures
    for row in figures["flips"]:
        counts = {"flipped", "to_positive", "both_decided", "n", "excluded"}
        assert set(row) == {"change", "share", "share_ci95"} | counts | judged
        stored = row["change"].startswith(("JPEG", "PNG", "resize"))
        assert row["target"] == (0.03 if stored else 0.05)


def test_the_table_has_a_line_for_every_row_and_says_what_was_missed(of_framed):
    figures, _ = of_framed
    rows = figures["forests"] + figures["anatomy"] + figures["painted"] + figures["flips"]
    names = ("features", "shown", "painted", "change")
    lines = [line for line in as_text(figures).splitlines() if line.startswith("  ")]
    for row, line in zip(rows, lines, strict=True):
        assert next(row[name] for name in names if name in row) in line
        assert ("target" in line) == (row["target"] is not None)
    missed = [row | {"met": False} for row in figures["flips"]]
    assert as_text(figures | {"flips": missed}).count("MISSED") >= 12
    accuracies = {"forest_accuracy": 0.91, "regression_accuracy": 0.72, "named": 4}
    told = [{"features": name, "among": "all slices", **accuracies} for name in (POOLED, SCORE)]
    text = as_text(figures | {"told_apart": {"rows": told}})
    assert f"{POOLED}, all slices: 91%, 72%; chance 25%" in text
    assert "names the source of 91% of the slices" in text


def test_disease_in_the_lungs_is_gone_with_them(linear_classifier, phantom_dataset, tmp_path):
    by_brightness = linear_classifier(np.full((48, 64), 1 / 48 / 64))
    figures = audit(by_brightness, phantom_dataset, "all", tmp_path)
    aucs = {row["shown"]: row["roc_auc"] for row in figures["anatomy"]}
    assert aucs["only the lungs"] > aucs["all but the lungs"] + 0.05
    assert figures["without_lungs"] == 24 - figures["anatomy"][0]["n"]


def test_what_cannot_be_measured_is_none_and_what_cannot_be_compared_is_counted(deaf, tmp_path):
    def draw(seed, covid):
        if seed % 2:
            return phantom_slice(seed, size=160).ct_slice.pixels
        return np.tile(np.arange(100, 228, dtype=np.uint8), (100, 1))  # no lungs, few rows

    figures = audit(deaf, write_dataset(tmp_path / "data", draw, slices=4), "all", tmp_path)
    for row in figures["forests"]:
        assert (row["roc_auc"], row["roc_auc_ci95"], row["met"]) == (None, None, None)
    assert figures["without_lungs"] == 4
    assert {row["n"] for row in figures["anatomy"]} == {4}
    halved = next(row for row in figures["flips"] if row["change"] == "resize 0.5×")
    assert (halved["n"], halved["excluded"]) == (4, 4)
    assert "4 could not be read so" in as_text(figures)
    assert "too few" in as_text(figures)


def test_a_class_without_a_readable_slice_is_refused(deaf, tmp_path):
    data = write_dataset(tmp_path / "data", lambda seed, covid: np.full((80, 80), 9, np.uint8), 2)
    with pytest.raises(DatasetError, match="both classes"):
        audit(deaf, data, "all", tmp_path)


def test_the_command_prints_a_table_or_json_and_its_status_says_whether_a_file_was_refused(
    run, deaf_model_folder, tmp_path
):
    data = write_dataset(
        tmp_path / "data", lambda seed, _: phantom_slice(seed, size=128).ct_slice.pixels, 2
    )

    asked = ("audit", "--out", tmp_path / "out", "--data", data, "--model", deaf_model_folder)
    done = run(*asked)
    assert done.returncode == 0, done.stderr
    assert "all but the lungs" in done.stdout
    assert "not a diagnosis" in done.stdout
    phantom = phantom_slice(1, 3, 128)
    for kind, layer in (
        ("slices", phantom.ct_slice.pixels),
        ("lung-masks", phantom.lung_mask * np.uint8(255)),
        ("lesion-masks", phantom.lesion_mask * np.uint8(255)),
    ):
        (tmp_path / "drawn" / kind).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "drawn" / kind / "a_1.png"), layer)
    done = run(*asked, "--masks", tmp_path / "drawn")
    assert "drawn, as drawn, opacities: " in done.stdout
    (data / "CT_COVID" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    done = run(*asked, "--json")
    assert done.returncode == 1
    figures = json.loads(done.stdout)
    assert [skip["file"] for skip in figures["skipped"]] == ["broken.png"]
    assert figures == json.loads((tmp_path / "out" / "audit.json").read_text())
    done = run(*asked, "--split", "val")
    assert done.returncode == 1
    assert "no “val” list" in done.stderr
    assert run(*asked[:3]).returncode == 2
