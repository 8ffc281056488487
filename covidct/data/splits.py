"""Splits that keep every patient on one side and all classes on each."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from covidct.data.classes import COVID, NON_COVID
from covidct.data.index import Index, Item
from covidct.errors import ConfigError, DatasetError
from covidct.messages import N_, ngettext


def train_test_split(
    items: tuple[Item, ...], test_share: float = 0.2, seed: int = 0
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """One stratified split by patients.

    Args:
        items: at least two patients of each class.
        test_share: the part of the slices to set aside, above 0 and at most 0.5; reached as
            nearly as whole patients allow.
        seed: the same seed gives the same split.

    Returns:
        Training items and test items.

    Raises:
        ConfigError: the share is out of range.
        DatasetError: too few patients.
    """
    if not 0 < test_share <= 0.5:
        raise ConfigError(
            N_(
                "The share to set aside must be above 0 and at most 0.5, not {test_share:g}.",
                test_share=test_share,
            )
        )
    folds = folds_by_patient(items, round(1 / test_share), seed)
    return min(folds, key=lambda fold: abs(len(fold[1]) - test_share * len(items)))


def split_for_training(
    index: Index, validation_share: float, seed: int, fold: tuple[int, int] | None = None
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Training and validation items: the official lists where there are both, else by patients.

    The official test list is never part of either.

    Args:
        index: of the data set.
        validation_share: of the slices, where neither lists nor folds say.
        seed: of folds and of other splits by patients.
        fold: which to validate on, from 1, and of how many folds of patients, whatever lists say.

    Raises:
        DatasetError: too few patients.
    """
    rest = tuple(item for item in index.items if item.split != "test")
    if fold is not None:
        number, folds = fold
        return next(islice(folds_by_patient(rest, folds, seed), number - 1, None))
    if {"train", "val"} <= index.splits:
        return index.subset("train"), index.subset("val")
    return train_test_split(rest, validation_share, seed)


def folds_by_patient(
    items: tuple[Item, ...], folds: int, seed: int
) -> Iterator[tuple[tuple[Item, ...], tuple[Item, ...]]]:
    """Cross-validation folds by scikit-learn's StratifiedGroupKFold: (training, test) each.

    Raises:
        DatasetError: a class has fewer patients than there are folds.
    """
    labels = np.array([item.label for item in items])
    patients = np.array([item.patient for item in items])
    for label, name in ((1, COVID), (0, NON_COVID)):
        count = len(set(patients[labels == label]))
        if count < folds:
            raise DatasetError(
                ngettext(
                    "{count} patient of class {name} is too few to set aside 1/{folds} of them. "
                    "Add slices of more patients or set a larger share aside.",
                    "{count} patients of class {name} are too few to set aside 1/{folds} of them. "
                    "Add slices of more patients or set a larger share aside.",
                    count,
                    name=name,
                    folds=folds,
                )
            )
    classes = _strata(items, folds)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for training, test in splitter.split(classes, classes, patients):
        yield tuple(items[i] for i in training), tuple(items[i] for i in test)


def _strata(items: tuple[Item, ...], folds: int) -> np.ndarray:
    """The class of each item as a number, COVID-19 the last, int (N,).

    One with fewer patients than there are folds counts with the largest of those without COVID-19.
    """
    patients: dict[str, set[str]] = {}
    for item in items:
        patients.setdefault(item.class_name, set()).add(item.patient)
    others = sorted(patients.keys() - {COVID})
    largest = max(others, key=lambda name: len(patients[name]))
    counted_as = {name: name if len(patients[name]) >= folds else largest for name in others}
    names = [*sorted(set(counted_as.values())), COVID]
    return np.array([names.index(counted_as.get(item.class_name, COVID)) for item in items])
