import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from functools import partial

import cv2
import imagecodecs
import numpy as np
import pytest
import two_convolutions
from pydicom import dcmread
from pydicom.uid import JPEGLosslessSV1
from pypdf import PdfReader

from covidct.data.corrections import LEFT_OUT, correct
from covidct.evaluation.results import read_evaluation
from covidct.imaging.phantom import phantom_slice
from covidct.reports.words import OUTSIDE_LUNGS


def python_m_covidct(root, *arguments):
    """In a process that imports for itself what it needs."""
    command = [sys.executable, "-m", "covidct", *map(str, arguments)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


@pytest.fixture(scope="module")
def mixed_folder(tmp_path_factory, root):
    """40 files, every other one no slice."""
    folder = tmp_path_factory.mktemp("mixed")
    pixels = [phantom_slice(seed, seed % 3, 160).ct_slice.pixels for seed in range(4)]
    good = cv2.imencode(".png", pixels[0])[1].tobytes()
    bad = [b"", good[:200], b"plain text", b"%PDF-1.7 ...", np.random.default_rng(0).bytes(5000)]
    for i in range(40):
        name = folder / f"{i:02d} 50% (a).png"
        if i % 2:
            name.write_bytes(bad[i % 5])
        else:
            cv2.imwrite(str(name), pixels[i % 4])
    return folder


def test_a_mixed_folder_gives_a_line_each_and_status_1(root, mixed_folder):
    done = python_m_covidct(root, "classify", mixed_folder, "--json")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == sorted(map(str, mixed_folder.iterdir()))
    for i, line in enumerate(lines):
        if i % 2:
            assert set(line) == {"file", "error"}
            assert line["error"].endswith(".")
        else:
            opacities = {"opacity_share", "opacity_sides", "lung_density_hu"}
            verdict = {"file", "label", "probability", "decision", "notes", "model_id"}
            assert set(line) == verdict | opacities
            assert 0 <= line["opacity_share"] <= 1
            assert -950 < line["lung_density_hu"] < -600
            assert line["opacity_sides"] in ("none", "one", "both")
            assert line["label"] in ("Positive", "Negative")
            assert 0 <= line["probability"] <= 1


def test_a_model_of_several_classes_tells_the_probability_of_each(
    root, mixed_folder, three_class_run
):
    file = mixed_folder / "00 50% (a).png"
    done = python_m_covidct(root, "classify", file, "--json", "--model", three_class_run)
    line = json.loads(done.stdout)
    assert list(line["classes"]) == ["COVID", "Normal", "Striped"]
    assert line["classes"]["COVID"] == line["probability"]
    assert sum(line["classes"].values()) == pytest.approx(1, abs=1e-5)
    text = python_m_covidct(root, "classify", file, "--model", three_class_run).stdout
    assert f"Normal {line['classes']['Normal']:.1%}" in text


def test_of_a_series_it_tells_the_probability_of_each_class_too(
    run, scan, three_class_run, tmp_path
):
    for number, data in enumerate(scan):
        (tmp_path / f"{number}.dcm").write_bytes(data)
    done = run("classify", tmp_path, "--json", "--model", three_class_run)
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["series"]
    assert list(line["classes"]) == ["COVID", "Normal", "Striped"]
    assert line["classes"]["COVID"] == line["probability"]
    assert sum(line["classes"].values()) == pytest.approx(1, abs=1e-5)
    told = run("classify", tmp_path, "--model", three_class_run).stdout.splitlines()
    (of_series,) = [text for text in told if "Series" in text]
    assert f"(Normal {line['classes']['Normal']:.1%}, Striped" in of_series


@pytest.mark.flaky(reruns=3)  # within Condition.wait Python 3.11 itself may lose the interruption
def test_a_press_of_ctrl_c_ends_it_without_a_traceback(root, mixed_folder, tiny_model):
    # Where tests run in the background they would pass on that SIGINT is ignored
    command = ["env", "--default-signal=INT", sys.executable, "-m", "covidct", "classify"]
    asked = [*[mixed_folder] * 400, "--json", "--model", tiny_model]
    with subprocess.Popen(
        [*command, *map(str, asked)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert (process.returncode, said) == (1, "covidct: Interrupted.\n")


def test_good_files_give_status_0_and_a_readable_line(run, mixed_folder):
    file = mixed_folder / "00 50% (a).png"
    done = run("classify", file)
    assert done.returncode == 0
    assert str(file) in done.stdout
    assert "not a diagnosis" in done.stdout


def test_what_is_no_lung_slice_is_refused_unless_wanted(run, no_lungs, tiny_model, tmp_path):
    file, overlay = tmp_path / "page.png", tmp_path / "overlay.png"
    file.write_bytes(no_lungs)
    tiny = ("--model", tiny_model)
    refused = run("classify", file, "--json", *tiny)
    assert refused.returncode == 1
    line = json.loads(refused.stdout)
    assert set(line) == {"file", "error"}
    wanted = run("classify", file, "--json", "--despite-gate", *tiny)
    assert wanted.returncode == 0, wanted.stderr
    assert json.loads(wanted.stdout)["notes"][0] == f"Outside the intended use. {line['error']}"
    refused = run("explain", file, "--out", overlay, *tiny)
    assert refused.returncode == 1
    assert line["error"] in refused.stderr
    assert not overlay.exists()
    wanted = run("explain", file, "--out", overlay, "--despite-gate", *tiny)
    assert wanted.returncode == 0, wanted.stderr
    assert "Outside the intended use." in wanted.stdout
    assert overlay.exists()
    refused = run("report", file, "--csv", tmp_path / "table.csv", *tiny)
    assert refused.returncode == 1
    assert line["error"] in (tmp_path / "table.csv").read_text(encoding="utf-8")


def test_a_file_name_that_is_no_unicode_is_named_all_the_same(
    run, mixed_folder, tiny_model, tmp_path
):
    file = os.fsencode(tmp_path) + b"/slice \xff.png"
    shutil.copy(mixed_folder / "00 50% (a).png", os.fsdecode(file))
    for option in ((), ("--json",)):
        done = run("classify", tmp_path, "--model", tiny_model, *option)
        assert done.returncode == 0, done.stderr
    assert os.fsencode(json.loads(done.stdout)["file"]) == file


def test_series_are_walked_in_their_order_and_twins_have_the_same_verdicts(
    run, scan, volume, neck, ct_header, ct_file, tiny_model, tmp_path
):
    folder, frames, archive = tmp_path / "CD", tmp_path / "enhanced", tmp_path / "scan.zip"
    folder.mkdir()
    names = ["IM9", "IM8.dcm", "7", "b", "a", "IM1", "IM0"]
    for name, data in zip(names, scan, strict=True):
        (folder / name).write_bytes(data)
    (folder / "again").write_bytes(scan[2])
    scout = ct_header(9, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    (folder / "a scout").write_bytes(ct_file(scout, volume[0]))
    (folder / "neck").write_bytes(ct_file(ct_header(7), neck))
    lossless = [imagecodecs.jpeg8_encode(v, lossless=True, bitspersample=12) for v in volume]
    header = ct_header(0, NumberOfFrames="7", ImagePositionPatient=None)
    frames.write_bytes(ct_file(header, volume, JPEGLosslessSV1, lossless))
    with zipfile.ZipFile(archive, "w") as zipped:
        for number in (3, 0, 5, 6, 1):
            zipped.writestr(f"{6 - number}", scan[number])

    done = run("classify", folder, frames, archive, "--json", "--model", tiny_model)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("missing") == 1
    assert "2 slices seem to be missing" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    whole = [line for line in lines if "series" in line]
    slices = [line for line in lines if "file" in line]
    walked, above, multi, zipped = slices[:7], slices[7], slices[10:17], slices[17:]
    aside = slices[8:10]
    assert [lines.index(line) for line in whole] == [10, 18, 24]
    assert [(line["series"], line["slices"]) for line in whole] == [
        (f"{name}, series 4", count) for name, count in ((folder, 7), (frames, 7), (archive, 5))
    ]
    verdict = "label", "probability", "decision", "rule", "model_id", "severity"
    assert 0 <= whole[0]["opacity_volume_share"] <= 1
    assert 0 <= whole[0]["severity"] <= 24
    assert [whole[0][key] for key in verdict] == [whole[1][key] for key in verdict]
    assert whole[0]["probability"] in sorted(line["probability"] for line in walked)[1:]
    assert (above["file"], above["position_mm"]) == (str(folder / "neck"), 47.5)
    assert above["set_aside"].startswith("Above or below the lungs.")
    assert [line["file"] for line in walked] == [str(folder / name) for name in names]
    assert [line["position_mm"] for line in walked] == [30 + 2.5 * i for i in range(7)]
    assert [set(line) for line in aside] == [{"file", "set_aside"}] * 2
    assert [(line["file"], line["frame"]) for line in multi] == [
        (str(frames), number) for number in range(1, 8)
    ]
    assert [line["file"] for line in zipped] == [f"{archive}/{6 - i}" for i in (0, 1, 3, 5, 6)]
    verdicts = [(line["probability"], line["label"], line["notes"]) for line in walked]
    assert [(line["probability"], line["label"], line["notes"]) for line in multi] == verdicts
    assert [line["probability"] for line in zipped] == [verdicts[i][0] for i in (0, 1, 3, 5, 6)]

    (folder / "b").write_bytes(scan[3][:-500])
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr("../out", b"")
    done = run("classify", folder, archive, "--model", tiny_model)
    assert done.returncode == 1
    assert f"Set aside                {folder / 'a scout'}: A scout" in done.stdout
    assert f"Refused                  {folder / 'b'}: " in done.stdout
    assert f"Refused                  {archive}: " in done.stdout
    assert "One slice seems to be missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_explain_takes_one_frame_of_many(run, volume, ct_header, ct_file, tiny_model, tmp_path):
    frames, overlay = tmp_path / "enhanced", tmp_path / "overlay.png"
    frames.write_bytes(ct_file(ct_header(0, NumberOfFrames="7"), volume))
    asked = ("explain", frames, "--out", overlay, "--model", tiny_model)
    assert run(*asked, "--frame", 7).returncode == 0
    assert cv2.imread(str(overlay)).shape == (160, 176, 3)
    refused = run(*asked)
    assert refused.returncode == 1
    assert "holds 7 frames" in refused.stderr


def test_explain_writes_overlay_and_heat_map_on_the_slices_grid(run, mixed_folder, tmp_path):
    overlay, heat = tmp_path / "overlay.png", tmp_path / "heat.npy"
    done = run("explain", mixed_folder / "02 50% (a).png", "--out", overlay, "--heatmap", heat)
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(overlay)).shape == (160, 160, 3)
    share = int(re.search(r"(\d+)% of the heat map lies inside the lungs", done.stdout)[1])
    assert (OUTSIDE_LUNGS in done.stdout) == (share < 50)
    values = np.load(heat, allow_pickle=False)
    assert (values.shape, values.dtype) == ((160, 160), np.float32)
    assert 0 <= values.min() <= values.max() <= 1


def test_check_reports_leaks_with_status_1_and_lists_what_to_leave_out(
    run, phantom_dataset, tmp_path
):
    data, exclusions = tmp_path / "data", tmp_path / "exclusions.txt"
    shutil.copytree(phantom_dataset, data)
    shutil.copy(data / "CT_COVID" / "a.png", data / "CT_NonCOVID" / "copy of a.png")
    done = run("check", "--data", data, "--exclusions", exclusions)
    assert done.returncode == 1
    assert "leaks between training and validation" in done.stdout
    listed = exclusions.read_text().splitlines()
    assert {"CT_COVID/a.png", "CT_NonCOVID/copy of a.png"} <= set(listed)
    report = json.loads(run("check", "--data", data, "--json").stdout)
    assert report["exclusions"] == listed
    assert ["CT_COVID/a.png", "CT_NonCOVID/copy of a.png"] in report["duplicates"]
    assert {"counts", "unreadable", "near_duplicates", "contradictions", "shortcut"} <= set(report)
    correct(data, data / "CT_COVID" / "a.png", LEFT_OUT)  # which is there twice
    done = run("check", "--data", data)
    assert "Corrections of labels were applied to 2 slices: 2 left out." in done.stdout


def test_check_tells_of_each_class_of_a_data_set(run, three_classes):
    done = run("check", "--data", three_classes)
    assert done.returncode == 0, done.stderr
    for name in ("COVID", "Normal", "Striped"):
        assert re.search(rf"training +{name} +8 slices of 8 patients", done.stdout), done.stdout
        assert re.search(rf"validation +{name} +2 slices of 2 patients", done.stdout)
    counts = json.loads(run("check", "--data", three_classes, "--json").stdout)["counts"]
    assert {count["class"] for count in counts} == {"COVID", "Normal", "Striped"}


def test_fetch_without_a_network_is_a_sentence(run, tmp_path):
    done = run("fetch", "--to", tmp_path / "x", "--source", "http://127.0.0.1:9/master")
    assert done.returncode == 1
    assert "there is no network" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.train
def test_train_evaluate_and_classify_with_the_new_model(
    run, phantom_dataset, mixed_folder, tmp_path
):
    run = partial(run, before=two_convolutions.REGISTER)
    folder, out = tmp_path / "run", tmp_path / "evaluation"
    settings = ("--image-size", 64, "--epochs", 1, "--batch-size", 8, "--no-flip", "--zoom", 0.2)
    network = ("--backbone", two_convolutions.NAME)
    trained = run("train", "--data", phantom_dataset, "--run", folder, *network, *settings)
    assert trained.returncode == 0, trained.stderr
    for name in ("accuracy", "sensitivity", "specificity", "auc"):
        assert f"{name}: " in trained.stdout
        assert f"val_{name}: " in trained.stdout
    assert json.loads((folder / "config.json").read_text())["zoom"] == 0.2

    evaluated = run("evaluate", "--data", phantom_dataset, "--model", folder, "--out", out)
    assert evaluated.returncode == 0, evaluated.stderr
    figures = json.loads((out / "metrics.json").read_text())
    assert figures["n"] == 24 - figures["learnt"] < 24
    assert f"learnt from {figures['learnt']} of 24 slices" in evaluated.stdout
    assert figures["model_id"].startswith("run@")
    assert len(figures["roc_auc_ci95"]) == 2
    with (out / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = (
        "file class patient probability label source height width decision opacity_share age sex "
        "scanner slice_thickness_mm path learnt"
    )
    assert list(rows[0]) == columns.split()
    assert {(row["source"], row["height"], row["width"]) for row in rows} == {("PNG", "160", "160")}
    assert {row["decision"] for row in rows} <= {"Positive", "Negative", "Uncertain"}
    unseen = [row for row in rows if row["learnt"] == "0"]
    right = [(row["label"] == "Positive") == (row["class"] == "COVID") for row in unseen]
    assert np.mean(right) == pytest.approx(figures["accuracy"])

    file = mixed_folder / "00 50% (a).png"
    line = json.loads(run("classify", file, "--json", "--model", folder).stdout)
    assert line["model_id"] == figures["model_id"]

    compared = json.loads(run("compare", "--run", folder, "--json").stdout)
    worse = compared["auc_difference"] < 0
    assert run("promote", folder).returncode == int(worse)
    if worse:
        assert run("promote", folder, "--despite-worse").returncode == 0
    line = json.loads(run("classify", file, "--json").stdout)
    assert line["model_id"] == figures["model_id"]
    assert "covidct-astra" in run("rollback").stdout
    assert run("rollback").returncode == 1


def test_a_name_that_is_no_unicode_is_evaluated_with_the_others(
    run, phantom_dataset, tiny_model, tmp_path
):
    data, out = shutil.copytree(phantom_dataset, tmp_path / "data"), tmp_path / "out"
    odd = os.fsdecode(b"a\xff.png")
    (data / "CT_COVID" / "a.png").rename(data / "CT_COVID" / odd)
    (data / "CT_COVID" / os.fsdecode(b"bad\xff.png")).write_bytes(b"no picture")
    done = run("evaluate", "--data", data, "--model", tiny_model, "--out", out)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    review = read_evaluation(out)
    assert odd in {one.file for one in review.slices}
    assert review.figures["skipped"][0]["file"] == os.fsdecode(b"bad\xff.png")


def test_runs_are_listed_renamed_downloaded_and_deleted(run, phantom_dataset, own_home, tmp_path):
    folder = own_home / "runs" / "broken"
    settings = ("--image-size", 64, "--data", phantom_dataset, "--exclusions", tmp_path / "list")
    everything = [f"CT_COVID/{file.name}" for file in (phantom_dataset / "CT_COVID").iterdir()]
    (tmp_path / "list").write_text("\n".join(everything[1:]))
    assert run("train", "--run", folder, *settings).returncode == 1
    (line,) = map(json.loads, run("runs", "--json").stdout.splitlines())
    assert (line["run"], line["state"]) == ("broken", "failed")
    assert "too few" in line["message"]
    assert run("runs", "rename", "broken", "too few").returncode == 0
    assert "too few" in run("runs").stdout
    assert run("runs", "download", "too few", "--out", tmp_path / "run.zip").returncode == 0
    assert run("runs", "download", "too fwe", "--out", tmp_path / "run.zip").returncode == 1
    assert (tmp_path / "run.zip").read_bytes()[:2] == b"PK"
    assert run("runs", "delete", "too few").returncode == 0
    assert run("runs", "--json").stdout == ""
    assert run("runs", "delete", "too few").returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("diagnose",),
        ("classify",),
        ("explain", "x.png"),
        ("train", "--run", "x"),
        ("train", "--run", "x", "--resume", "--epochs", "20"),
        ("check",),
    ],
)
def test_wrong_usage_is_status_2(root, arguments):
    done = python_m_covidct(root, *arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("classify", "x.png", "--model", "none"), "no model"),
        (("evaluate", "--data", "/nowhere", "--out", "/tmp/x"), "not a data set"),
        (("train", "--data", "/nowhere", "--run", "/tmp/covidct-none", "--epochs", "-1"), "epochs"),
    ],
)
def test_failures_are_a_sentence_and_status_1(run, arguments, reason):
    done = run(*arguments)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_a_report_tells_of_all_slices_and_of_no_patient(
    run, scan, neck, ct_header, ct_file, mixed_folder, tiny_model, tmp_path
):
    folder = tmp_path / "Secret Patient"
    folder.mkdir()
    for number, data in enumerate(scan):
        (folder / f"{number}").write_bytes(data)
    (folder / "7").write_bytes(ct_file(ct_header(7), neck))
    good, bad = (mixed_folder / f"0{i} 50% (a).png" for i in (0, 1))
    table, pdf, overlays = (tmp_path / "out" / name for name in ("r.csv", "r.pdf", "overlays"))
    asked = ("--csv", table, "--pdf", pdf, "--secondary-capture", overlays, "--model", tiny_model)

    done = run("report", folder, good, bad, *asked)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "8 judged, 1 refused" in done.stdout
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    whole = rows.pop(8)
    assert (whole["case"], whole["slice"], whole["slices"]) == ("1", "", "7")
    assert whole["series"].startswith(str(folder))
    assert [(row["case"], row["slice"]) for row in rows] == [
        *(("1", str(number)) for number in range(1, 9)),
        ("2", "1"),
        ("3", "1"),
    ]
    assert [bool(row["error"]) for row in rows] == [False] * 9 + [True]
    assert [bool(row["set_aside"]) for row in rows] == [False] * 7 + [True] + [False] * 2
    lines = [
        json.loads(line)
        for line in run(
            "classify", folder, good, "--json", "--model", tiny_model
        ).stdout.splitlines()
        if '"file"' in line
    ]
    assert [row["probability"] and float(row["probability"]) for row in rows[:9]] == [
        line.get("probability", "") for line in lines
    ]

    pages = [page.extract_text() for page in PdfReader(pdf).pages]
    assert len(pages) == 1 + 5 + 1
    assert "Case 1, a series" in pages[0]
    assert "Case 2" in pages[6]
    captures = [dcmread(file) for file in sorted(overlays.iterdir())]
    assert [capture.InstanceNumber for capture in captures] == [*range(1, 8), 1]
    assert len({capture.SeriesInstanceUID for capture in captures}) == 2
    for secret in ("Secret", "(a)"):
        assert not any(secret in page for page in pages)
        assert not any(secret in str(capture) for capture in captures)


def test_identifiers_are_in_the_overlays_only_if_asked_for(
    run, scan, mixed_folder, tiny_model, tmp_path
):
    file = tmp_path / "slice"
    file.write_bytes(scan[3])
    good = mixed_folder / "00 50% (a).png"
    done = run(
        *("report", file, good, "--pdf", tmp_path / "r.pdf", "--csv", tmp_path / "r.csv"),
        *("--secondary-capture", tmp_path, "--keep-identifiers", "--model", tiny_model),
    )
    assert done.returncode == 0, done.stderr
    assert "Secret" not in done.stdout + done.stderr
    dicom, picture = (dcmread(overlay) for overlay in sorted(tmp_path.glob("*.dcm")))
    assert (dicom.PatientName, dicom.PatientID) == ("Secret^Patient", "Secret")
    assert dicom.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    assert not picture.PatientName
    assert "Secret" not in PdfReader(tmp_path / "r.pdf").pages[0].extract_text()
    again = run("report", good, "--secondary-capture", tmp_path, "--model", tiny_model)
    assert again.returncode == 2
    assert "results of another report, which are kept" in again.stderr
    assert "Secret" not in (tmp_path / "r.csv").read_text()


def test_a_report_gives_dicom_objects_or_says_why_not(
    run, volume, ct_header, ct_file, scan, tiny_model, tmp_path
):
    placed = {"StudyInstanceUID": "1.2.9", "FrameOfReferenceUID": "1.2.8"}
    for number in range(2):
        for folder, data in (
            ("fit", ct_file(ct_header(number, **placed), volume[number])),
            ("unfit", scan[number]),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{number}").write_bytes(data)
    out = tmp_path / "out"
    fit, unfit = tmp_path / "fit", tmp_path / "unfit"
    done = run("report", fit, "--dicom", out, "--model", tiny_model)
    assert done.returncode == 0, done.stderr
    made = {file.name: dcmread(file) for file in out.iterdir()}
    assert set(made) == {f"case-001-{kind}.dcm" for kind in ("seg", "sr", "map")}
    assert {str(one.PatientName) for one in made.values()} == {"Secret^Patient"}
    assert "Patient and study stand in" in done.stdout
    assert "Secret" not in done.stdout + done.stderr

    again = run("report", fit, "--dicom", out, "--model", tiny_model)
    assert again.returncode == 2
    other = run("report", unfit, "--dicom", tmp_path / "other", "--model", tiny_model)
    assert other.returncode == 1
    assert "only secondary captures can be made" in other.stdout
    assert not list((tmp_path / "other").iterdir())


@pytest.mark.parametrize("options", [(), ("--keep-identifiers", "--pdf", "x.pdf")])
def test_a_report_of_nothing_is_wrong_usage(run, mixed_folder, options):
    assert run("report", mixed_folder, *options).returncode == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--masks is needed: astra_lite learns opacities from them"),
        (("--backbone", "efficientnet_lite0", "--masks", "."), "has no layer for opacities"),
        (("--backbone", "efficientnet_lite0"), "is not a data set"),
        (("--backbone", "unknown", "--masks", "."), "There is no backbone “unknown”"),
    ],
)
def test_masks_are_for_backbones_that_tell_opacities(run, tmp_path, options, said):
    done = run("convert-backbone", "--data", tmp_path, *options)
    assert done.returncode in (1, 2)
    assert said in done.stderr
