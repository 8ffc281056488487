from pathlib import Path

import numpy as np
import pytest

from covidct.data.index import Index, Item
from covidct.data.splits import folds_by_patient, split_for_training, train_test_split
from covidct.errors import ConfigError, DatasetError


@pytest.fixture
def items():
    """200 slices of 40 patients with one to nine slices each, a third of them ill."""
    rng = np.random.default_rng(3)
    patients = np.sort(np.concatenate([np.arange(40), rng.integers(0, 40, 160)]))
    return tuple(
        Item(Path(f"{i}.png"), int(patient % 3 == 0), f"p{patient}")
        for i, patient in enumerate(patients)
    )


def _patients(items):
    return {item.patient for item in items}


def test_patients_never_cross_and_nothing_is_lost(items):
    training, test = train_test_split(items, 0.25, seed=1)
    assert not _patients(training) & _patients(test)
    assert sorted(i.path for i in training + test) == sorted(i.path for i in items)


def test_the_split_is_stratified_and_of_the_size_asked_for(items):
    training, test = train_test_split(items, 0.25, seed=1)
    assert abs(len(test) / len(items) - 0.25) < 0.06
    assert abs(np.mean([i.label for i in test]) - np.mean([i.label for i in training])) < 0.12


def test_the_seed_decides(items):
    assert train_test_split(items, 0.2, seed=1) == train_test_split(items, 0.2, seed=1)
    assert train_test_split(items, 0.2, seed=1) != train_test_split(items, 0.2, seed=2)


def test_each_patient_is_tested_once_in_the_folds(items):
    tested = [patient for _, test in folds_by_patient(items, 5) for patient in _patients(test)]
    assert sorted(tested) == sorted(_patients(items))


def test_too_few_patients_are_refused_by_name(items):
    few = tuple(item for item in items if not item.label or item.patient == "p0")
    with pytest.raises(DatasetError, match="1 patients of class COVID"):
        train_test_split(few, 0.2)


@pytest.mark.parametrize("share", [0, -0.1, 0.6])
def test_a_share_out_of_range_is_refused(items, share):
    with pytest.raises(ConfigError, match="share"):
        train_test_split(items, share)


def test_the_official_test_list_is_never_trained_or_validated_on(items):
    marked = tuple(
        Item(i.path, i.label, i.patient, "test" if i.patient in ("p1", "p3") else None)
        for i in items
    )
    training, validation = split_for_training(Index(Path(), marked), 0.2, seed=0)
    assert not {"p1", "p3"} & (_patients(training) | _patients(validation))
