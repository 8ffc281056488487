"""Sweeps as runs in the queue."""

import json
import os
import shutil

import pytest

from covidct.data.index import read_index
from covidct.data.splits import split_for_training
from covidct.errors import ConfigError, DatasetError
from covidct.evaluation.evaluate import validation_items
from covidct.jobs.lock import take_lock
from covidct.training import jobs, queue
from covidct.training.config import TrainConfig
from covidct.training.run_folder import read_run_folder
from covidct.training.sweep import list_sweeps, start_sweep


@pytest.fixture(autouse=True)
def _busy(own_home):
    """Training is held up, as by a process that trains."""
    lock = take_lock(jobs.runs_dir() / queue.TRAINING_LOCK, lambda: True)
    yield
    os.close(lock)


def test_each_value_is_queued_with_each_fold_and_all_of_one_fold_before_the_next(
    phantom_dataset, quick
):
    runs = start_sweep(phantom_dataset, quick, "dropout", [0.1, 0.5], 3, "mine", ["CT_COVID/a.png"])
    assert queue.queued_runs() == runs
    asked = [read_run_folder(run) for run in runs]
    assert [(one.config.fold, one.config.dropout) for one in asked] == [
        (f"{fold}/3", value) for fold in (1, 2, 3) for value in (0.1, 0.5)
    ]
    assert {one.exclude for one in asked} == {("CT_COVID/a.png",)}
    (sweep,) = list_sweeps()
    assert (sweep.name, sweep.setting, sweep.values, sweep.folds) == (
        "mine",
        "dropout",
        (0.1, 0.5),
        3,
    )
    assert sweep.runs == {(n % 2, n // 2): run for n, run in enumerate(runs)}


def test_each_slice_is_judged_once_by_each_value_and_never_beside_its_patient(
    phantom_dataset, quick
):
    runs = start_sweep(phantom_dataset, quick, "weight_decay", [0.0, 0.1], 3, "mine")
    for value in (0, 1):
        judged = [item for run in runs[value::2] for item in validation_items(run)]
        assert sorted(item.path for item in judged) == sorted(
            item.path for item in read_index(phantom_dataset).items
        )
    assert [validation_items(run) for run in runs[::2]] == [
        validation_items(run) for run in runs[1::2]
    ]
    for fold in (1, 2, 3):
        training, test = split_for_training(read_index(phantom_dataset), 0.2, 0, (fold, 3))
        assert not {item.patient for item in training} & {item.patient for item in test}


@pytest.mark.parametrize(
    ("setting", "values", "folds", "error"),
    [
        ("dropout", [0.1], 3, ConfigError),
        ("dropout", [0.1, 0.1], 3, ConfigError),
        ("dropout", [0.1 * n for n in range(7)], 3, ConfigError),
        ("dropout", [0.1, 2.0], 3, ConfigError),
        ("backbone", ["efficientnet_lite0", "no such network"], 3, ConfigError),
        ("no_such_setting", [1, 2], 3, ConfigError),
        ("dropout", [0.1, 0.2], 13, DatasetError),
        ("dropout", [0.1, 0.2], 1, ConfigError),
    ],
)
def test_what_cannot_be_swept_is_refused_and_queues_nothing(
    phantom_dataset, quick, setting, values, folds, error
):
    with pytest.raises(error):
        start_sweep(phantom_dataset, quick, setting, values, folds, "mine")
    assert jobs.list_runs() == ()


def test_a_sweep_is_found_when_its_runs_are_renamed_deleted_or_damaged(phantom_dataset, quick):
    runs = start_sweep(phantom_dataset, quick, "dropout", [0.1, 0.5], 3, "mine")
    other = jobs.rename(runs[0], "other name")
    jobs.delete(runs[1])
    for run, text in ((runs[2], "{"), (runs[3], '{"value": 9}'), (runs[4], "[[1]]")):
        (run / "sweep.json").write_text(text)
    odd = json.loads((other / "sweep.json").read_text()) | {"values": [[1], {}]}
    copy = shutil.copytree(other, other.with_name("odd"))
    (copy / "sweep.json").write_text(json.dumps(odd))
    (sweep,) = list_sweeps()
    assert sweep.runs == {(0, 0): other, (1, 2): runs[5]}


@pytest.mark.parametrize("fold", ["1", "0/5", "6/5", "1/1", "a/b", "1/5 ", "-1/5", "1/100"])
def test_a_fold_that_is_none_is_refused(fold):
    with pytest.raises(ConfigError, match="2/5"):
        TrainConfig(fold=fold)
