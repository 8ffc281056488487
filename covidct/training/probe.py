"""Solve the head on the pooled features of a network that stays as it is.

A random head's first gradients distort pretrained features; a head that is already the best linear
classifier on them does not (LP-FT: Kumar et al. 2022, arXiv:2202.10054). With few hundred slices a
logistic regression is also steadier than gradient descent from a random start.

Each slice is shown several times, changed at random: as the network sees it, and as a file that
passed through other hands (:mod:`covidct.data.republish`). Once it is shown with its lungs taken
away. Of that picture the head is to say that it cannot know: it counts half for each class, so that
what can be seen of the class outside the lungs is not used (counterfactual examples, as in Kaushik
et al. 2020, arXiv:1909.12434). The other pictures count a little for the class that they do not
have, too: some labels are wrong, and no slice is then worth an extreme logit (label smoothing:
Szegedy et al. 2016, arXiv:1512.00567).

Each part of a network's trunks has a head of its own, and their logits are summed: solved together,
the larger part drowns what the others know.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from covidct.data.augment import Augmentation, augment
from covidct.data.republish import REPUBLISHED
from covidct.data.stream import PreparedSlices, evaluation_batches, read_anew
from covidct.imaging.blanking import without_lungs
from covidct.models.backbones import Part, Trunk, get_backbone
from covidct.models.network import (
    LOGIT_LAYER,
    POOLING_LAYER,
    feature_origins,
    standardise_features,
)

LABEL_SMOOTHING = 0.1  # chosen by cross-validation together with what a Part fixes
_BATCH = 16
_MOST_ITERATIONS, _TOLERANCE = 500, 1e-2  # a closer solution costs much and gains nothing
_LEAST_SPREAD = 0.01  # of the median feature's; less would blow up what a map says once in a while


@dataclass(frozen=True, slots=True, eq=False)
class PooledViews:
    """What a network makes of slices that are shown several times.

    Attributes:
        views: float32 (V, N, C), pooled features; the first view is the slices as they are, the
            last ones are those of :data:`covidct.data.republish.REPUBLISHED`.
        without_lungs: float32 (N, C), of the slices with their lungs taken away.
        labels: (N,), 1 for COVID-19.
    """

    views: np.ndarray
    without_lungs: np.ndarray
    labels: np.ndarray

    def of(self, slices: np.ndarray, features: np.ndarray, views: slice) -> "PooledViews":
        """Some of the slices, features and views, by position."""
        return PooledViews(
            self.views[views][:, slices][..., features],
            self.without_lungs[slices][:, features],
            self.labels[slices],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear classifier of pooled features (C,).

    Attributes:
        mean: float (C,), subtracted from the features.
        variance: float (C,), that they are scaled by.
        kernel: float (C,).
        bias: the logit of mean features.
    """

    mean: np.ndarray
    variance: np.ndarray
    kernel: np.ndarray
    bias: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Of pooled features (N, C), float (N,)."""
        return (features - self.mean) / np.sqrt(self.variance) @ self.kernel + self.bias

    @classmethod
    def sum_of(cls, heads: Sequence["Head"], weights: Sequence[float]) -> "Head":
        """The head of all features whose logit is the weighted sum of those of heads of some."""
        return cls(
            np.concatenate([head.mean for head in heads]),
            np.concatenate([head.variance for head in heads]),
            np.concatenate([w * head.kernel for head, w in zip(heads, weights, strict=True)]),
            sum(w * head.bias for head, w in zip(heads, weights, strict=True)),
        )

    def put_into(self, network: keras.Model) -> None:
        """Make it the head of the network whose features it was solved on."""
        standardise_features(network, self.mean, self.variance)
        network.get_layer(LOGIT_LAYER).set_weights([self.kernel[:, None], np.array([self.bias])])


def pooled_views(
    pooling: keras.Model,
    slices: PreparedSlices,
    preprocess_input: Callable,
    augmentation: Augmentation,
    progress: Callable[[Iterable], Iterable] = iter,
    *,
    views: int,
    seed: int,
) -> PooledViews:
    """What a network pools of slices that are shown several times.

    Args:
        pooling: from :func:`pooling_of`.
        slices: what to show.
        preprocess_input: the backbone's normalisation.
        augmentation: random changes of the views but the first and those that are read anew.
        progress: wraps the passes over the slices, to show how far it is.
        views: how often each slice is shown with its lungs, beside those that are read anew.
        seed: of the random changes.
    """
    rng = np.random.default_rng(seed)
    shows = [
        partial(_without_lungs, slices),
        *(partial(_view, slices, augmentation, seed, view) for view in range(views)),
        *(partial(read_anew, slices, partial(change, rng=rng)) for change in REPUBLISHED),
    ]
    passes = [pooled_features(pooling, show(), preprocess_input) for show in progress(shows)]
    return PooledViews(np.stack(passes[1:]), passes[0], slices.labels)


def pooling_of(network: keras.Model) -> keras.Model:
    """What a network from :func:`covidct.models.network.build_network` pools, as a model."""
    return keras.Model(network.input, network.get_layer(POOLING_LAYER).output)


def pooled_features(
    pooling: keras.Model, slices: PreparedSlices, preprocess_input: Callable
) -> np.ndarray:
    """Pooled features of slices, float32 (N, C), by a model from :func:`pooling_of`."""
    return pooling.predict(evaluation_batches(slices, _BATCH, preprocess_input), verbose=0)


def solve_parts(network: keras.Model, pooled: PooledViews, *, balanced: bool) -> Head:
    """The head of a network from :func:`covidct.models.network.build_network`, part by part."""
    everything = np.arange(len(pooled.labels))
    parts = parts_of(network)
    heads = [
        solve(
            [(pooled.of(everything, np.array(list(one.origins)), slice(None)), 1.0)],
            balanced=balanced,
            inverse_regularisation=one.part.inverse_regularisation,
        )
        for one in parts
    ]
    return Head.sum_of(heads, [one.part.weight for one in parts])


class PartFeatures(NamedTuple):
    """A part of a network's trunks and the pooled features that come from it.

    Attributes:
        trunk: whose part it is.
        part: the part.
        origins: by the position of each feature, where it comes from, as
            :func:`covidct.models.network.feature_origins` tells.
    """

    trunk: Trunk
    part: Part
    origins: dict[int, dict[str, str]]


def parts_of(network: keras.Model) -> list[PartFeatures]:
    """The parts of a network from :func:`covidct.models.network.build_network`, in their order."""
    origins = feature_origins(network)
    return [
        PartFeatures(
            trunk,
            part,
            {
                position: origin
                for position, origin in enumerate(origins)
                if (origin["trunk"], origin["part"]) == (trunk.name, part.name)
            },
        )
        for trunk in get_backbone(network.name).trunks
        for part in trunk.parts
    ]


def solve(
    sources: Sequence[tuple[PooledViews, float]],
    *,
    balanced: bool,
    inverse_regularisation: float,
    blank_weight: float = 1.0,
    label_smoothing: float = LABEL_SMOOTHING,
) -> Head:
    """The logistic regression on standardised features.

    Features of further sources are moved to the mean of the first's, so that it does not matter
    how one source differs from the other as a whole.

    Args:
        sources: pooled views of one source of slices or more, each with the weight of a slice.
        balanced: weigh both classes of a source the same.
        inverse_regularisation: scikit-learn's C.
        blank_weight: of a slice without its lungs, against 1 for the slice with them.
        label_smoothing: the share of a slice's weight that counts for the other class.
    """
    rows, labels, weights = [], [], []
    centre = _mean(sources[0][0])
    for pooled, weight in sources:
        count = len(pooled.views)
        ill = pooled.labels == 1
        share = np.where(ill, ill.mean(), 1 - ill.mean()) if balanced else np.full(ill.size, 0.5)
        move = centre - _mean(pooled)
        smoothed = np.where(ill, 1 - label_smoothing, label_smoothing)
        shown = [(view, smoothed, weight / (2 * share) / count) for view in pooled.views]
        shown.append((pooled.without_lungs, np.full(ill.size, 0.5), weight * blank_weight))
        for features, covid, counts in shown:
            rows += [features + move] * 2
            labels += [np.ones_like(ill), np.zeros_like(ill)]
            weights += [counts * covid, counts * (1 - covid)]
    scaler = StandardScaler().fit(np.concatenate(sources[0][0].views))
    scaler.scale_ = np.maximum(scaler.scale_, _LEAST_SPREAD * np.sqrt(np.median(scaler.var_)))
    weights = np.concatenate(weights)
    used = weights > 0
    regression = LogisticRegression(
        C=inverse_regularisation, max_iter=_MOST_ITERATIONS, tol=_TOLERANCE
    ).fit(
        scaler.transform(np.concatenate(rows)[used]),
        np.concatenate(labels)[used],
        sample_weight=weights[used],
    )
    return Head(
        scaler.mean_, scaler.scale_**2, regression.coef_[0], float(regression.intercept_[0])
    )


def _mean(pooled: PooledViews) -> np.ndarray:
    return pooled.views.mean(axis=(0, 1))


def _view(
    slices: PreparedSlices, augmentation: Augmentation, seed: int, view: int
) -> PreparedSlices:
    if view == 0:
        return slices
    rng = np.random.default_rng([seed, view])
    changed = np.stack([augment(pixels, augmentation, rng) for pixels in slices.pixels])
    return replace(slices, pixels=changed)


def _without_lungs(slices: PreparedSlices) -> PreparedSlices:
    return replace(slices, pixels=np.stack([without_lungs(pixels) for pixels in slices.pixels]))
