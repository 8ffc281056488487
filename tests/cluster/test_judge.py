"""Slices on a cluster of real processes, which the tests of this file share."""

import gc
import itertools
import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from dataclasses import replace
from functools import partial

import cv2
import dask
import nibabel
import numpy as np
import patience
import pytest
from dask_cluster import dask_cluster
from forked import start_covidct

from covidct.cluster.connect import connect
from covidct.cluster.journal import Journal
from covidct.cluster.judge import judge_on
from covidct.cluster.window import as_they_come
from covidct.cluster.worker import Job, _opened, judge_on_worker
from covidct.data.index import read_index
from covidct.data.near_duplicates import fingerprint
from covidct.errors import ClusterError
from covidct.evaluation.evaluate import classify_items
from covidct.imaging import read_slice
from covidct.imaging.file import File, load
from covidct.imaging.series import Place
from covidct.inference.card import read_card
from covidct.inference.cases import Case, groups_at
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Judged, Refused, check_lung_slice, judge, judge_slices
from covidct.inference.learnt import hashes_of
from covidct.reports.lines import line_of
from covidct.reports.table import results_csv


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster):
    cluster.add_worker()
    with dask.config.set(cluster.client_settings), connect(cluster.address) as client:
        cluster.have_workers(client, 2)
        yield client


@pytest.fixture(scope="module")
def classifier(tiny_model):
    return Classifier.open(tiny_model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, phantoms, no_lungs):
    """Slices as people have them: pictures, archives in archives, and what is no slice."""
    folder = tmp_path_factory.mktemp("slices")
    for number, phantom in enumerate(phantoms):
        cv2.imwrite(str(folder / f"{number}.png"), phantom.ct_slice.pixels)
    with zipfile.ZipFile(folder / "inner.zip", "w") as inner:
        inner.write(folder / "1.png", "deep.png")
    with zipfile.ZipFile(folder / "packed.zip", "w") as outer:
        outer.write(folder / "inner.zip", "inner.zip")
        outer.write(folder / "2.png", "two.png")
    odd_name = os.fsdecode(b"no Unicode \xff.png")
    (folder / odd_name).write_bytes((folder / "3.png").read_bytes())
    (folder / "page.png").write_bytes(no_lungs)
    (folder / "text.png").write_bytes(b"no picture")
    (folder / "broken.zip").write_bytes((folder / "packed.zip").read_bytes()[:300])
    return folder


@pytest.fixture(scope="module")
def scans(tmp_path_factory, scan, volume):
    """A series of DICOM files, and a volume."""
    folder = tmp_path_factory.mktemp("scans")
    for number, data in enumerate(scan):
        (folder / f"IM{number}").write_bytes(data)
    axes = np.diag([-0.8, -0.7, 2.5, 1])
    units = np.moveaxis(volume.astype(np.int16) - 1350, (0, 1, 2), (2, 1, 0))
    nibabel.save(nibabel.Nifti1Image(units, axes), folder / "volume.nii.gz")
    return folder


@pytest.fixture(scope="module")
def many(folder):
    """64 slices, which are four tasks."""
    data = [(folder / f"{number}.png").read_bytes() for number in range(8)]
    copies = folder.parent / f"{folder.name} many"
    copies.mkdir()
    for number in range(64):
        (copies / f"{number:03d}.png").write_bytes(data[number % 8] + number.to_bytes(2))
    return copies


def cases_in(*paths):
    return [case for group in groups_at(paths) for case in group.cases]


def row(outcome):
    """All that is known of an outcome, numbers to the last bit."""
    if isinstance(outcome, Judged):
        kept = outcome.summary()
        return (
            *(kept.case.name, repr(kept.prediction), repr(kept.lung_share)),
            *(repr(kept.opacities), list(map(str, kept.notes)), kept.source, kept.shape),
        )
    if isinstance(outcome, Refused):
        return outcome.case.name, type(outcome.error), str(outcome.reason)
    return repr(outcome)


def test_the_table_is_the_same_to_the_bit_as_on_one_machine(client, classifier, folder, scans):
    tables = []
    for by in (judge_slices, partial(judge_on, client, None)):
        groups = judge(classifier, groups_at([folder, scans]), by=by)
        outcomes = [outcome for _, found in groups for outcome in found]
        assert {"Judged", "Refused", "SeriesJudged"} <= {type(one).__name__ for one in outcomes}
        tables.append(results_csv(outcomes, classifier.card))
    assert tables[0] == tables[1]


def test_numbers_come_back_to_the_last_bit(client, classifier, folder, scans):
    cases = cases_in(folder, scans)
    here = map(row, judge_slices(classifier, cases))
    assert list(map(row, judge_on(client, None, classifier, cases, check_lung_slice))) == list(here)


def test_a_worker_that_joins_is_given_work_and_each_opens_the_model_once(
    client, cluster, classifier, many
):
    cluster.have_workers(client, 2)
    before = len(client.nthreads())
    cases = itertools.cycle(cases_in(many))
    with closing(judge_on(client, None, classifier, cases, check_lung_slice)) as outcomes:
        next(outcomes)
        cluster.add_worker()
        deadline = time.monotonic() + patience.SECONDS
        for number, _ in enumerate(outcomes):
            if number % 100 == 0:
                opened = client.run(_opened.cache_info)
                if len(opened) > before and all(info.misses for info in opened.values()):
                    break
            assert time.monotonic() < deadline
    assert {info.misses for info in opened.values()} == {1}


def test_a_worker_that_is_killed_loses_nothing(client, cluster, classifier, many):
    cluster.have_workers(client, 2)
    cases = cases_in(many)
    expected = list(map(row, judge_slices(classifier, cases)))
    found = judge_on(client, None, classifier, cases * 2, check_lung_slice)
    first = row(next(found))
    doomed = next(worker for worker in cluster.processes[1:] if worker.poll() is None)
    doomed.kill()
    assert [first, *map(row, found)] == expected * 2


def test_a_slice_that_ends_its_worker_is_refused_and_the_others_are_judged(
    client, cluster, classifier, many
):
    cluster.have_workers(client, 3)  # of which two will end
    cases = cases_in(many)[:5]
    deadly = Case(Place("deadly"), partial(os._exit, 1), file=cases[0].file)
    asked = [*cases[:3], deadly, *cases[3:]]
    outcomes = list(judge_on(client, None, classifier, asked, check_lung_slice))
    assert [outcome.case for outcome in outcomes] == asked
    assert [isinstance(outcome, Judged) for outcome in outcomes] == [True] * 3 + [False, True, True]
    assert "One worker after the other" in outcomes[3].reason


def test_what_workers_cannot_read_is_judged_where_the_run_was_started(client, classifier, folder):
    """A file that this process alone has open."""
    (case,) = cases_in(folder / "1.png")
    with (folder / "1.png").open("rb") as file:
        path = f"/proc/self/fd/{file.fileno()}"
        mine = Case(case.place, partial(read_slice, path), file=File(path, partial(load, path)))
        (outcome,) = judge_on(client, None, classifier, [mine], check_lung_slice)
    (expected,) = judge_slices(classifier, [case])
    assert row(outcome) == row(expected)


def test_a_run_goes_on_from_its_journal_unless_a_file_has_changed(
    client, classifier, many, tmp_path
):
    cases = cases_in(many)
    with closing(Journal(tmp_path / "journal")) as journal:
        begun = judge_on(client, journal, classifier, cases, check_lung_slice)
        next(begun)
        begun.close()
    kept = _rows(tmp_path / "journal")
    assert 0 < len(kept) <= len(cases)
    _edit_all(tmp_path / "journal", "a note of the first run")
    changed = many / "000.png"
    before = changed.read_bytes()
    changed.write_bytes(before + b"changed")
    with closing(Journal(tmp_path / "journal")) as journal:
        outcomes = list(judge_on(client, journal, classifier, cases, check_lung_slice))
    changed.write_bytes(before)
    from_first = ["a note of the first run" in outcome.notes for outcome in outcomes]
    assert sum(from_first) in (len(kept), len(kept) - 1)
    assert not from_first[0]
    assert len(_rows(tmp_path / "journal")) == len(cases)
    again = [row(outcome)[:3] for outcome in outcomes]
    assert again == [row(outcome)[:3] for outcome in judge_slices(classifier, cases)]


def _rows(path):
    with closing(sqlite3.connect(path)) as journal:
        return journal.execute("SELECT slice, row FROM rows").fetchall()


def _wait_for_rows(journal):
    deadline = time.monotonic() + patience.SECONDS
    while not _has_rows(journal):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _has_rows(path):
    try:
        return path.exists() and bool(_rows(path))
    except sqlite3.OperationalError:  # it is being made
        return False


def _edit_all(path, note):
    with closing(sqlite3.connect(path)) as journal, journal:
        for key, text in _rows(path):
            edited = json.dumps(json.loads(text) | {"notes": [note]})
            journal.execute("UPDATE rows SET row = ? WHERE slice = ?", (edited, key))


def test_the_journal_names_nobody(client, classifier, folder, scans, tmp_path):
    with closing(Journal(tmp_path / "journal")) as journal:
        list(judge_on(client, journal, classifier, cases_in(folder, scans), check_lung_slice))
    written = (tmp_path / "journal").read_bytes()
    assert b"probability" in written
    for name in (folder.name, scans.name, "IM0", "page.png", "Secret"):
        assert name.encode() not in written


@pytest.mark.usefixtures("client")  # with which workers come
def test_commands_on_a_cluster_write_what_they_write_without(
    run, cluster, monkeypatch, folder, scans, phantom_dataset, tiny_model, tmp_path
):
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    model, on_cluster = ("--model", tiny_model), ("--cluster", cluster.address)
    printed, tables, figures = [], [], []
    for number, where in enumerate(((), on_cluster)):
        out = tmp_path / str(number)
        classified = run("classify", folder, scans, "--json", *model, *where)
        reported = run("report", folder, scans, "--csv", out / "table.csv", *model, *where)
        evaluated = run("evaluate", "--data", phantom_dataset, "--out", out, *model, *where)
        assert [one.returncode for one in (classified, reported, evaluated)] == [1, 1, 0]
        assert "Traceback" not in classified.stderr + reported.stderr + evaluated.stderr
        printed.append(classified.stdout)
        tables.append((out / "table.csv").read_text())
        figures.append([(out / name).read_text() for name in ("metrics.json", "predictions.csv")])
    assert printed[0] == printed[1] and tables[0] == tables[1] and figures[0] == figures[1]


@pytest.mark.usefixtures("client")  # with which workers come
def test_a_command_that_was_killed_goes_on_where_it_was(
    run, cluster, monkeypatch, many, tiny_model, tmp_path
):
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    journal = tmp_path / "journal"
    command = ("classify", many, "--json", "--model", tiny_model, "--cluster", cluster.address)
    command += ("--journal", journal)
    process = start_covidct(command, tmp_path / "output", tmp_path / "errors")
    _wait_for_rows(journal)
    process.kill()
    process.join()
    kept = len(_rows(journal))
    _edit_all(journal, "a note of the first run")
    done = run(*command)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == sorted(map(str, many.iterdir()))
    assert sum("a note of the first run" in line["notes"] for line in lines) == kept > 0


def test_what_the_model_learnt_from_is_told_without_reading_a_slice_again(
    client, cluster, tiny_model, phantom_dataset, tmp_path
):
    cluster.have_workers(client, 1)
    data, model = tmp_path / "data", tmp_path / "model"
    shutil.copytree(phantom_dataset, data)
    shutil.copytree(tiny_model, model)
    items = read_index(data).items
    hashes = hashes_of(fingerprint(read_slice(item.path)) for item in items[::2])
    replace(read_card(model), learnt_from=hashes).write(model)

    def judged_and_gone(*asked):
        outcomes = list(judge_on(client, None, *asked, fingerprinted=True))
        shutil.rmtree(data)
        yield from outcomes

    found, _ = classify_items(Classifier.open(model), items, by=judged_and_gone)
    assert [one.learnt for one in found] == [True, False] * (len(items) // 2)


def test_a_worker_of_another_version_is_told(client, tiny_model, classifier, many):
    job = Job(tiny_model, classifier.card.sha256, check_lung_slice, "0.0")
    with pytest.raises(ClusterError, match=r"version .* of covidct, and this is 0\.0"):
        list(as_they_come(client, partial(judge_on_worker, job), [[]]))


@pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")  # Dask lets go of one
def test_a_scheduler_that_is_gone_ends_the_run_with_a_sentence(classifier, many, tmp_path):
    with dask_cluster(tmp_path) as lost:
        lost.add_worker()
        with dask.config.set(lost.client_settings), connect(lost.address):
            pass  # the worker has joined
        settings = lost.client_settings | {"distributed.comm.timeouts.connect": "1s"}
        with dask.config.set(settings), connect(lost.address) as client:
            found = judge_on(
                client, None, classifier, _killing(lost, cases_in(many)), check_lung_slice
            )
            with pytest.raises(ClusterError, match="scheduler"):
                list(found)
    gc.collect()


def _killing(cluster, cases):
    """The cases; the scheduler is killed once the last was asked for."""
    yield from cases
    cluster.scheduler.kill()


def test_a_slice_is_sent_without_its_series_and_without_pixels(write_scan):
    sizes = [len(pickle.dumps(cases_in(write_scan(slices))[2])) for slices in (3, 30)]
    assert abs(sizes[0] - sizes[1]) <= 2 < sizes[0] < 2000


@pytest.fixture
def write_scan(tmp_path, ct_header, ct_file, volume):
    def write(slices):
        folder = tmp_path / f"{slices:02d}"
        folder.mkdir()
        for number in range(slices):
            header = ct_header(number)
            (folder / f"{number:02d}").write_bytes(ct_file(header, volume[number % 7]))
        return folder

    return write


def test_a_cluster_of_this_machine_needs_no_more_than_its_name(
    root, classifier, folder, tiny_model
):
    file = folder / "1.png"
    command = [sys.executable, "-m", "covidct", "classify", file, "--json", "--model", tiny_model]
    done = subprocess.run(
        [*command, "--cluster", "local"], cwd=root, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    (expected,) = judge_slices(classifier, cases_in(file))
    assert json.loads(done.stdout) == line_of(expected)


@pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")  # Dask lets go of one
def test_a_run_that_all_workers_left_ends_with_a_sentence_and_goes_on_from_its_journal(
    run, monkeypatch, many, tiny_model, tmp_path
):
    (tmp_path / "dask").mkdir()
    journal = tmp_path / "journal"
    command = ("classify", many, "--json", "--model", tiny_model, "--journal", journal)
    with dask_cluster(tmp_path / "dask") as cluster:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT", "2s")
        command += ("--cluster", cluster.address)
        worker = cluster.add_worker()
        deserted = start_covidct(command, tmp_path / "output", tmp_path / "errors")
        _wait_for_rows(journal)
        worker.kill()
        deserted.join(patience.SECONDS)
        kept = len(_rows(journal))
        assert deserted.exitcode == 1 and 0 < kept < 64
        told = (tmp_path / "errors").read_text()
        assert "no worker for 2 s" in told and "--journal" in told and "Traceback" not in told
        _edit_all(journal, "a note of the first run")
        cluster.add_worker()
        done = run(*command)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 64
    assert sum("a note of the first run" in line["notes"] for line in lines) == kept
