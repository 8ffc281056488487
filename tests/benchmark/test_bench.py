"""The bench at its smallest: what it measures, not how long that takes."""

import json
import math
import os
import subprocess

import numpy as np
import pytest
from PIL import Image

from covidct.benchmark.cluster import measure_cluster
from covidct.benchmark.picture import draw_growth
from covidct.benchmark.process import run_python
from covidct.benchmark.processor import has_vnni
from covidct.benchmark.run import PARTS, run
from covidct.benchmark.samples import (
    dicom_slice,
    png_slice,
    write_archive,
    write_disc,
    write_series,
)
from covidct.benchmark.settings import Settings
from covidct.benchmark.sorting import measure_sorting
from covidct.benchmark.timing import exponent, fastest
from covidct.benchmark.traced import traced_pass
from covidct.benchmark.verdict import STAGES, walk
from covidct.evaluation.costs import TARGETS, rows
from covidct.imaging import read_slice
from covidct.imaging.gather import gather
from covidct.imaging.series import Series
from covidct.imaging.sources import files_at
from covidct.inference.classifier import Classifier


@pytest.fixture(scope="module")
def settings(tiny_model):
    return Settings(model=str(tiny_model), folder=10, on_workers=20, archive=3, disc=40, side=160)


def test_the_stages_add_up_to_the_walk(settings):
    classifier = Classifier.load(settings.model)
    for data in (png_slice(3, 160), dicom_slice(3, 160)):
        taken = walk(classifier, data)
        assert len(taken) == len(STAGES)
        assert all(0 < stage < math.inf for stage in taken)


def test_a_part_is_measured_alone_and_figures_of_others_stay(settings, tmp_path):
    out = tmp_path / "bench.json"
    out.write_text(json.dumps({"help_s": 0.1, "folder_vs_forward": -1.0}))
    assert list(run(settings, ["folder", "reference"], out)) == ["folder"]  # no data to train on
    figures = json.loads(out.read_text())
    assert figures["help_s"] == 0.1
    assert 0 < figures["folder_vs_forward"] < math.inf
    assert figures["folder_slices"] == settings.folder
    assert 0 < figures["drop_100_s"] < math.inf
    assert figures["dropped_slices"] == settings.archive
    assert figures["cores"] == os.cpu_count()


def test_two_workers_are_compared_with_one_on_the_same_slices(settings):
    figures = measure_cluster(settings)
    assert figures["cluster_slices"] == settings.on_workers
    assert 0 < figures["two_workers_vs_one"] < math.inf


def test_a_disc_is_sorted_into_its_series(settings, tmp_path):
    disc = write_disc(tmp_path / "disc", settings.disc, settings.side)
    lengths = [len(one) for one in gather(files_at(disc)) if isinstance(one, Series)]
    assert lengths == [10, 8, 10, 8]  # some of two series gave way to files beside
    figures = measure_sorting(settings)
    assert figures["sorted_files"] == settings.disc
    assert 0 < figures["sorting_s"] < math.inf
    assert figures["sorting_peak_mib"] > 0


def test_each_part_has_a_module_that_measures_it():
    from importlib import import_module

    for part in PARTS:
        assert callable(getattr(import_module(f"covidct.benchmark.{part}"), f"measure_{part}"))


def test_the_table_tells_what_meets_its_target():
    good = {target.figure: target.limit for target in TARGETS}
    bad = {target.figure: target.limit * (0.9 if target.at_least else 1.1) for target in TARGETS}
    curve = {"sizes": [1, 2], "seconds": [1, 3], "exponent": 1.58}
    assert [met for *_, met in rows(good)] == [True] * len(TARGETS)
    assert [met for *_, met in rows(bad | {"growth": {"sessions": curve}})] == [False] * (
        len(TARGETS) + 1
    )
    assert list(rows({"train_vs_reference": None})) == []


def test_the_table_says_where_the_processor_has_no_integer_products():
    said = [next(rows({"forward_vs_tensorflow": 2.0, "vnni": vnni}))[0] for vnni in (True, False)]
    assert said[1] == f"{said[0]} (no VNNI here)"
    assert "VNNI unknown" in next(rows({"forward_vs_tensorflow": 2.0, "vnni": None}))[0]


def test_integer_products_are_told_by_the_flags_of_the_processor(tmp_path):
    told = tmp_path / "cpuinfo"
    for flags, known in (("fma avx512_vnni", True), ("avx_vnni", True), ("avx avx2", False)):
        told.write_text(f"model name\t: avx_vnni\nflags\t\t: fpu {flags}\n")
        assert has_vnni(told) is known
    told.write_text("Features\t: fp asimd\n")
    assert has_vnni(told) is None
    assert has_vnni(tmp_path / "none") is None


def test_the_peak_of_a_process_is_its_own():
    held = np.ones(300 * 2**20, np.uint8)
    idle, busy = run_python("-c", ""), run_python("-c", "print(len(b'a' * (100 * 2**20)))")
    assert idle.peak_mib < 100 < busy.peak_mib < held.nbytes / 2**20
    assert idle.seconds > 0
    with pytest.raises(subprocess.CalledProcessError):
        run_python("-c", "raise SystemExit(3)")


def test_tensorflow_makes_the_same_pass(settings):
    classifier = Classifier.load(settings.model)
    crop = classifier.crop_thorax(read_slice(png_slice(3, 160)))
    images = classifier.network_input([crop])
    logits, _ = classifier.forward(images)
    assert traced_pass(classifier, images)()[:, 0] == pytest.approx(logits, abs=1e-3)


def test_the_shortest_time_counts_and_growth_is_told_as_a_power():
    calls = []
    quick, slow = fastest(
        2, lambda: calls.append("a"), lambda: [calls.append("b"), sum(range(10**6))]
    )
    assert calls == list("ababab")
    assert 0 <= quick < slow
    assert exponent([1, 2, 4], [3, 6, 12]) == pytest.approx(1)
    assert exponent([1, 2, 4], [1, 4, 16]) == pytest.approx(2)


def test_no_two_sample_slices_are_the_same_and_a_series_is_one(tmp_path):
    assert len({png_slice(number, 160) for number in range(20)}) == 20
    folder = write_series(tmp_path / "series", 3, 160)
    (series,) = gather(files_at(folder))
    assert len(series) == 3
    assert len(gather(files_at(write_archive(tmp_path / "slices.zip", range(4), 160)))) == 4
    difference = read_slice(png_slice(1, 160)).pixels.astype(int) - series.read(1).pixels
    assert np.abs(difference[1:]).max() <= 1  # both formats show the same


def test_the_picture_shows_each_curve(tmp_path):
    curve = {"sizes": [1, 2, 4, 8], "seconds": [0.1, 0.2, 0.4, 0.9], "exponent": 1.05}
    widths = []
    for count in (1, 2):
        draw_growth({str(i): curve for i in range(count)}, tmp_path / "growth.png")
        with Image.open(tmp_path / "growth.png") as picture:
            assert len(picture.getcolors()) > 4
            widths.append(picture.width)
    assert widths[1] == 2 * widths[0]
