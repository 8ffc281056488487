"""Solve the head before the network is fine-tuned.

A random head's first gradients distort pretrained features; a head that is already the best linear
classifier on them does not (LP-FT: Kumar et al. 2022, arXiv:2202.10054). With few hundred slices a
logistic regression is also steadier than gradient descent from a random start.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from covidct.data.augment import Augmentation, augment
from covidct.data.stream import PreparedSlices, evaluation_batches
from covidct.models.network import LOGIT_LAYER, POOLING_LAYER, standardise_features

_INVERSE_REGULARISATION = 0.08  # chosen by patient-grouped cross-validation on COVID-CT's lists
_BATCH = 16


def solve_head(
    network: keras.Model,
    slices: PreparedSlices,
    preprocess_input: Callable,
    augmentation: Augmentation,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    *,
    views: int,
    balanced: bool,
    seed: int,
) -> None:
    """Set the head to the logistic regression on the standardised pooled features.

    Args:
        network: from :func:`covidct.models.network.build_network`, changed in place.
        slices: what to train on.
        preprocess_input: the backbone's normalisation.
        augmentation: random changes of all views but the first.
        progress: wraps the views, to show how far it is.
        views: how often each slice is shown: once as it is, then changed at random.
        balanced: weigh both classes the same.
        seed: of the random changes.
    """
    pooled = keras.Model(network.input, network.get_layer(POOLING_LAYER).output)
    features = np.concatenate(
        [
            pooled.predict(
                evaluation_batches(_view(slices, augmentation, seed, v), _BATCH, preprocess_input),
                verbose=0,
            )
            for v in progress(range(views))
        ]
    )
    scaler = StandardScaler().fit(features)
    regression = LogisticRegression(
        C=_INVERSE_REGULARISATION / views,
        class_weight="balanced" if balanced else None,
        max_iter=1000,
    ).fit(scaler.transform(features), np.tile(slices.labels, views))
    standardise_features(network, scaler.mean_, scaler.scale_**2)
    network.get_layer(LOGIT_LAYER).set_weights([regression.coef_.T, regression.intercept_])


def _view(
    slices: PreparedSlices, augmentation: Augmentation, seed: int, view: int
) -> PreparedSlices:
    if view == 0:
        return slices
    rng = np.random.default_rng([seed, view])
    changed = np.stack([augment(pixels, augmentation, rng) for pixels in slices.pixels])
    return replace(slices, pixels=changed)
