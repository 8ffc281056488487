from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from covidct.data.forest import enough_patients, forest_auc, forest_auc_of_classes
from covidct.data.index import Item


@pytest.fixture
def items():
    """Three slices of each of 40 patients, every other one ill."""
    return [
        Item(Path(f"{patient} {i}.png"), patient % 2, f"{patient}")
        for patient in range(40)
        for i in range(3)
    ]


def test_what_tells_the_class_is_found_and_what_tells_the_patient_is_of_no_use(items):
    noise = np.random.default_rng(0).normal(size=(len(items), 1))
    labels = np.array([[item.label] for item in items])
    auc = forest_auc(items, labels + 0.1 * noise)
    assert auc.value > 0.99
    of_patient = np.repeat(np.random.default_rng(1).normal(size=(40, 2)), 3, axis=0)
    low, high = forest_auc(items, of_patient).ci95
    assert low < 0.5 < high


def test_the_same_seed_gives_the_same_figure(items):
    values = np.random.default_rng(2).normal(size=(len(items), 3))
    assert forest_auc(items, values, 7) == forest_auc(items, values, 7)


def test_too_few_patients_are_not_measured(items):
    few = items[:24]  # four patients of each class
    assert forest_auc(few, np.zeros((24, 1))) is None


@pytest.fixture
def several_classes(items):
    """The same, those without COVID-19 of two classes in turn."""
    return [replace(item, other="Normal" if int(item.patient) % 4 else "Scar") for item in items]


def test_classes_without_covid_19_are_told_apart_by_what_tells_them_alone(several_classes):
    names = np.array([[item.other == "Normal"] for item in several_classes], float)
    noise = np.random.default_rng(0).normal(size=names.shape)
    asked = {"Normal", "Scar"}
    assert forest_auc_of_classes(several_classes, names + 0.1 * noise, asked).value > 0.99
    of_patient = np.repeat(np.random.default_rng(1).normal(size=(40, 2)), 3, axis=0)
    low, high = forest_auc_of_classes(several_classes, of_patient, asked).ci95
    assert low < 0.5 < high


def test_a_class_has_enough_patients_where_each_fold_has_one(several_classes):
    assert enough_patients(several_classes) == {"COVID", "Normal", "Scar"}
    assert enough_patients(several_classes[:48]) == {"COVID"}  # four of each of the others
    assert enough_patients(several_classes[:60]) == {"COVID", "Normal", "Scar"}  # five
