"""What the source of a slice can be told from: the network's pixels, what it pools, its score.

Sources of one class tell the class to whoever can tell the source, so it is asked among all slices
and among those of either class.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from covidct.data.prepared import PreparedSlices, prepare
from covidct.data.sources import Source
from covidct.errors import DatasetError
from covidct.evaluation.audit.shortcuts import network_features
from covidct.evaluation.audit.text import ALL, POOLED, SCORE
from covidct.imaging.anatomy.thorax_crop import network_pixels
from covidct.inference.classifier import Classifier
from covidct.messages import N_
from covidct.stats.bootstrap import interval, patient_weights, weighted_aucs

NUMBERS, PIXELS = (
    N_("border, shape, size, grey levels and sharpness"),
    N_("network pixels at an eighth of the size"),
)
ILL, OTHER = N_("slices with COVID-19"), N_("slices without COVID-19")
_FOLDS, _TREES, _COMPONENTS = 5, 100, 100
_SMALLER = 8


def _forest(_: np.ndarray) -> RandomForestClassifier:
    return RandomForestClassifier(
        _TREES, min_samples_leaf=2, class_weight="balanced", random_state=0
    )


def _regression(values: np.ndarray) -> Pipeline:
    return make_pipeline(
        StandardScaler(),
        PCA(min(_COMPONENTS, *values.shape), random_state=0),
        LogisticRegression(class_weight="balanced", max_iter=2000),
    )


_METHODS = {"forest": _forest, "regression": _regression}


def sources_told_apart(
    classifier: Classifier,
    given: Sequence[Source],
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[str, Any]:
    """How well a random forest and a logistic regression name the source, patients kept apart.

    The forest is that of Breiman 2001; the regression is on the first 100 principal components.
    Each source counts the same.

    Args:
        classifier: whose pixels, features and score are looked at.
        given: two sources or more.
        progress: wraps the slices of each source.

    Returns:
        "sources", a row each: source, COVID, NonCOVID, patients. "rows", by what is looked at and
        among which slices: features, among, n, "named", how many sources there are to tell apart,
        and for "forest" and "regression" each the accuracy (the mean over sources of the share of
        their slices that is named; chance is one over "named"; "forest_accuracy") and the mean AUC
        of one source against the others ("forest_roc_auc"), with 95 % intervals ("_ci95").

    Raises:
        DatasetError: fewer than two sources have five patients or more.
    """
    size, segmenter = classifier.card.image_size, classifier.segmenter
    prepared = [prepare(source.items, size, progress, segmenter) for source in given]
    names = np.concatenate(
        [np.full(len(one.items), s.name) for s, one in zip(given, prepared, strict=True)]
    )
    labels = np.concatenate([one.labels for one in prepared])
    patients = np.char.add(np.char.add(names, "/"), np.concatenate([p.patients for p in prepared]))
    looked = [_features(classifier, one) for one in prepared]
    features = {name: np.concatenate([one[name] for one in looked]) for name in looked[0]}
    rows = []
    for among, asked in ((ALL, labels >= 0), (ILL, labels == 1), (OTHER, labels == 0)):
        enough = [
            name
            for name in np.unique(names)
            if len(np.unique(patients[asked & (names == name)])) >= _FOLDS
        ]
        chosen = asked & np.isin(names, enough)
        if len(enough) < 2:
            continue
        for name, values in features.items():
            told = _told_apart(names[chosen], values[chosen], patients[chosen])
            rows.append(
                {
                    "features": str(name),
                    "among": str(among),
                    "n": int(chosen.sum()),
                    "named": len(enough),
                    **told,
                }
            )
    if not rows:
        raise DatasetError(
            N_("To tell sources apart, two of them need slices of five patients or more.")
        )
    return {
        "sources": [
            {"source": source.name, **one.counts}
            for source, one in zip(given, prepared, strict=True)
        ],
        "rows": rows,
    }


def _features(classifier: Classifier, slices: PreparedSlices) -> dict[str, np.ndarray]:
    """What is looked at of each slice, float (N, features)."""
    card, head = classifier.card, classifier.head
    size = tuple(side // _SMALLER for side in card.image_size)
    images = (network_pixels(one[None], card.preprocess_input)[0] for one in slices.pixels)
    pooled = classifier.trunks.features(images)
    numbers = [network_features(one) for one in slices.pixels]
    return {
        NUMBERS: np.stack([np.concatenate(list(one.values())) for one in numbers]),
        PIXELS: np.stack(
            [
                cv2.resize(one[..., 0], size[::-1], interpolation=cv2.INTER_AREA).ravel()
                for one in slices.pixels
            ]
        ),
        POOLED: pooled,
        SCORE: (pooled @ head.kernel + head.bias)[:, None],
    }


def _told_apart(
    names: np.ndarray, values: np.ndarray, patients: np.ndarray
) -> dict[str, float | list[float]]:
    sources, of_source = np.unique(names, return_inverse=True)
    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    folds = list(splitter.split(values, of_source, patients))
    weights = patient_weights(of_source, patients)
    told: dict[str, float | list[float]] = {}
    for method, make in _METHODS.items():
        chances = np.empty((len(names), len(sources)))
        for training, test in folds:
            model = make(values[training]).fit(values[training], of_source[training])
            chances[test] = model.predict_proba(values[test])
        right = chances.argmax(axis=1) == of_source
        accuracies, aucs = [], []
        for number in range(len(sources)):
            own = of_source == number
            accuracies.append(weights[:, own] @ right[own] / weights[:, own].sum(axis=1))
            aucs.append(weighted_aucs(own, chances[:, number], weights))
        for figure, each in (("accuracy", accuracies), ("roc_auc", aucs)):
            value, *resampled = np.mean(each, axis=0).tolist()
            told[f"{method}_{figure}"] = value
            told[f"{method}_{figure}_ci95"] = list(interval(resampled))
    return told
