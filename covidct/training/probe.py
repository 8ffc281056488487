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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from covidct.data.augment import Augmentation, augment
from covidct.data.stream import PreparedSlices, evaluation_batches
from covidct.models.network import LOGIT_LAYER, POOLING_LAYER

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
    """Set the logit layer to the logistic regression on the pooled features.

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
    regression = make_pipeline(
        StandardScaler(),
        LogisticRegression(
            C=_INVERSE_REGULARISATION / views,
            class_weight="balanced" if balanced else None,
            max_iter=1000,
        ),
    ).fit(features, np.tile(slices.labels, views))
    scaler, linear = regression[0], regression[-1]
    kernel = linear.coef_[0] / scaler.scale_
    bias = linear.intercept_[0] - scaler.mean_ @ kernel
    network.get_layer(LOGIT_LAYER).set_weights([kernel[:, None], np.array([bias])])


def _view(
    slices: PreparedSlices, augmentation: Augmentation, seed: int, view: int
) -> PreparedSlices:
    if view == 0:
        return slices
    rng = np.random.default_rng([seed, view])
    changed = np.stack([augment(pixels, augmentation, rng) for pixels in slices.pixels])
    return replace(slices, pixels=changed)
