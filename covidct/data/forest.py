"""How well a random forest tells the class from a few numbers about each slice."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from covidct.data.index import Item
from covidct.data.splits import folds_by_patient
from covidct.stats.bootstrap import Measured, measured_auc, measured_mean_auc

_FOLDS, _TREES = 5, 100


def forest_auc(items: Sequence[Item], values: np.ndarray, seed: int = 0) -> Measured | None:
    """AUC of a random forest (Breiman 2001) in patient-grouped five-fold cross-validation.

    Args:
        items: whose labels and patients count.
        values: float (N, features), of the items in their order.
        seed: of folds, forest and bootstrap.

    Returns:
        0.5 is chance; None where a class has fewer patients than there are folds.
    """
    labels = np.array([item.label for item in items])
    patients = np.array([item.patient for item in items])
    if min(len(set(patients[labels == label])) for label in (0, 1)) < _FOLDS:
        return None
    position = {item.path: i for i, item in enumerate(items)}
    scores = np.empty(len(labels))
    for training, test in folds_by_patient(tuple(items), _FOLDS, seed):
        known, asked = ([position[item.path] for item in part] for part in (training, test))
        forest = _forest(seed).fit(values[known], labels[known])
        scores[asked] = forest.predict_proba(values[asked])[:, 1]
    return measured_auc(labels, scores, patients, seed)


def enough_patients(items: Sequence[Item]) -> set[str]:
    """The classes of which there are as many patients as folds, or more."""
    pairs = {(item.class_name, item.patient) for item in items}
    counted = Counter(class_name for class_name, _ in pairs)
    return {class_name for class_name, patients in counted.items() if patients >= _FOLDS}


def forest_auc_of_classes(
    items: Sequence[Item], values: np.ndarray, names: Collection[str], seed: int = 0
) -> Measured:
    """How well such a forest tells some classes apart.

    Args:
        items: whose classes and patients count; those of other classes are left out.
        values: float (N, features), of the items in their order.
        names: of two classes or more, of :func:`enough_patients` each.
        seed: of folds, forest and bootstrap.

    Returns:
        The mean AUC of each class against the rest of them.
    """
    chosen = [i for i, item in enumerate(items) if item.class_name in names]
    patients = np.array([items[i].patient for i in chosen])
    _, truth = np.unique([items[i].class_name for i in chosen], return_inverse=True)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    probabilities = cross_val_predict(
        _forest(seed), values[chosen], truth, groups=patients, cv=folds, method="predict_proba"
    )
    return measured_mean_auc(truth, probabilities, patients, seed)


def _forest(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(
        _TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed
    )
