"""How well a random forest tells the class from a few numbers about each slice."""

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from covidct.data.index import Item
from covidct.data.splits import folds_by_patient
from covidct.stats.bootstrap import Measured, measured_auc

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
        forest = RandomForestClassifier(
            _TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed
        )
        forest.fit(values[known], labels[known])
        scores[asked] = forest.predict_proba(values[asked])[:, 1]
    return measured_auc(labels, scores, patients, seed)
