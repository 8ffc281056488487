"""Which class a slice without COVID-19 is of, where a data set has several: a head of its own.

The verdict is on COVID-19 alone; these classes share what its probability leaves. So the verdict is
what it would be without them, and the probabilities of all classes add up to 1 (a hierarchy of
classifiers: Silla and Freitas 2011, doi:10.1007/s10618-010-0175-9).
"""

from collections.abc import Callable, Iterable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from covidct.data.prepared import PreparedSlices
from covidct.models.backbones import get_backbone, get_preprocess_input
from covidct.models.head import ClassHead
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph
from covidct.training.config import TrainConfig
from covidct.training.probe import pooled_features

_INVERSE_REGULARISATION = 0.01  # scikit-learn's C: thousands of features, hundreds of slices
_MOST_ITERATIONS = 300
_TEMPERATURES = (0.0, 5.0)  # their logarithm: a few slices are no reason to be surer than solved


def solve_classes(
    graph: bytes,
    config: TrainConfig,
    training: PreparedSlices,
    validation: PreparedSlices,
    progress: Callable[[Iterable], Iterable] = iter,
) -> ClassHead | None:
    """The multinomial logistic regression on slices without COVID-19, as they are.

    Its temperature (Guo et al. 2017, arXiv:1706.04599) is fitted on validation slices.

    Args:
        graph: of the network's trunks.
        config: of the run.
        training: slices to learn from.
        validation: slices to fit the temperature on.
        progress: wraps the pixels of slices, to show how far it is.

    Returns:
        None where all slices without COVID-19 are of one class.
    """
    seen = _of_classes(training, {item.other for item in training.items})
    names = [item.other for item in seen.items]
    if len(set(names)) < 2:
        return None
    unseen = _of_classes(validation, set(names))
    trunks = TrunkMaps(Graph(graph), get_backbone(config.backbone))
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    features, unseen_features = (
        pooled_features(trunks, slices, preprocess_input, progress) for slices in (seen, unseen)
    )
    scaler = StandardScaler().fit(features)
    solved = LogisticRegression(
        C=_INVERSE_REGULARISATION,
        class_weight="balanced" if config.class_weights else None,
        max_iter=_MOST_ITERATIONS,
    ).fit(scaler.transform(features), names)
    classes = solved.classes_.tolist()
    kernels, biases = solved.coef_, solved.intercept_
    if len(classes) == 2:  # scikit-learn gives the logit of the second alone
        kernels, biases = np.vstack([0 * kernels, kernels]), np.append(0, biases)
    raw = kernels / scaler.scale_
    biases = biases - raw @ scaler.mean_
    truth = np.array([classes.index(item.other) for item in unseen.items], int)
    temperature = _temperature(unseen_features @ raw.T + biases, truth)
    return ClassHead(
        tuple(classes),
        (raw / temperature).astype(np.float32),
        (biases / temperature).astype(np.float32),
    )


def _of_classes(slices: PreparedSlices, names: set[str]) -> PreparedSlices:
    """The slices without COVID-19 that are of these classes."""
    chosen = [i for i, item in enumerate(slices.items) if not item.label and item.other in names]
    return slices.at(chosen)


def _temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """What logits (N, K) are divided by, so that the true classes (N,) are the likeliest; 1 where
    there are no slices."""
    if not len(truth):
        return 1.0

    def loss(logarithm: float) -> float:
        scaled = logits / np.exp(logarithm)
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(truth)), truth]))

    found = minimize_scalar(loss, bounds=_TEMPERATURES, method="bounded")
    return float(np.exp(found.x))
