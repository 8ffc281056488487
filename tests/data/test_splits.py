from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

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


@pytest.mark.parametrize("share", [0.12, 0.22, 0.36, 0.5])
def test_of_scikit_learns_folds_the_one_nearest_in_size_is_set_aside(items, share):
    labels, patients = zip(*((item.label, item.patient) for item in items), strict=True)
    folds = StratifiedGroupKFold(round(1 / share), shuffle=True, random_state=4)
    sizes = [len(test) for _, test in folds.split(labels, labels, patients)]
    training, test = train_test_split(items, share, seed=4)
    wanted = share * len(items)
    assert len(set(sizes)) > 1
    assert abs(len(test) - wanted) == min(abs(size - wanted) for size in sizes)
    assert len(training) == len(items) - len(test)


def test_a_fifth_is_set_aside_by_seed_nought_if_nothing_else_is_asked(items):
    assert train_test_split(items) == train_test_split(items, 0.2, seed=0)


def test_the_seed_decides(items):
    assert train_test_split(items, 0.2, seed=1) == train_test_split(items, 0.2, seed=1)
    assert train_test_split(items, 0.2, seed=1) != train_test_split(items, 0.2, seed=2)


def test_each_patient_is_tested_once_in_the_folds(items):
    tested = [
        patient for _, test in folds_by_patient(items, 5, seed=0) for patient in _patients(test)
    ]
    assert sorted(tested) == sorted(_patients(items))


@pytest.mark.parametrize(("label", "kept", "name"), [(1, "p0", "COVID"), (0, "p1", "NonCOVID")])
def test_too_few_patients_are_refused_by_name(items, label, kept, name):
    few = tuple(item for item in items if item.label != label or item.patient == kept)
    with pytest.raises(DatasetError, match=f"1 patient of class {name} is"):
        train_test_split(few, 0.2)


def test_one_patient_of_each_class_for_each_fold_is_enough(items):
    few = tuple(item for item in items if item.patient in ("p0", "p1", "p2", "p3"))
    for side in train_test_split(few, 0.5):
        assert len(_patients(side)) == len({item.label for item in side}) == 2


@pytest.mark.parametrize("share", [0, -0.1, 0.6])
def test_a_share_out_of_range_is_refused(items, share):
    with pytest.raises(ConfigError, match="share"):
        train_test_split(items, share)


@pytest.mark.parametrize("lists", [("train", "val"), ("train", "val", "test")])
def test_official_lists_are_followed_where_both_are_there(items, lists):
    marked = tuple(
        Item(i.path, i.label, i.patient, lists[number % len(lists)])
        for number, i in enumerate(items)
    )
    sides = split_for_training(Index(Path(), marked), 0.2, seed=0)
    assert sides == tuple(
        tuple(item for item in marked if item.split == name) for name in ("train", "val")
    )


def test_half_of_the_official_lists_is_not_followed(items):
    marked = tuple(Item(i.path, i.label, i.patient, "train") for i in items)
    assert split_for_training(Index(Path(), marked), 0.2, seed=3) == train_test_split(
        marked, 0.2, seed=3
    )


def test_the_official_test_list_is_never_trained_or_validated_on(items):
    marked = tuple(
        Item(i.path, i.label, i.patient, "test" if i.patient in ("p1", "p3") else None)
        for i in items
    )
    training, validation = split_for_training(Index(Path(), marked), 0.2, seed=0)
    assert not {"p1", "p3"} & (_patients(training) | _patients(validation))
