"""Solve the head on the pooled features of a network that stays as it is.

A random head's first gradients distort pretrained features; a head that is already the best linear
classifier on them does not (LP-FT: Kumar et al. 2022, arXiv:2202.10054). With few hundred slices a
logistic regression is also steadier than gradient descent from a random start.

Each slice is shown several times, changed at random: as the network sees it, and as a file that
was re-encoded (:mod:`covidct.data.reencode`). Once its lungs are occluded. The target of
that picture is 0.5, so that what can be seen of the class outside the lungs is not used
(counterfactual examples, as in Kaushik et al. 2020, arXiv:1909.12434). The other pictures count a
little for the other class, too: some labels are wrong, and no slice is then worth an extreme logit
(label smoothing: Szegedy et al. 2016, arXiv:1512.00567).

Each part of a network's trunks has a head of its own, and their logits are summed: solved together,
the larger part drowns what the others know.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from covidct.data.augment import Augmentation, augment
from covidct.data.prepared import PreparedSlices, read_anew
from covidct.data.reencode import REENCODED
from covidct.imaging.anatomy.occlusion import without_lungs
from covidct.imaging.anatomy.thorax_crop import network_pixels
from covidct.models.backbones import Part, Trunk
from covidct.models.head import Head
from covidct.models.pooling import Origin, TrunkMaps

LABEL_SMOOTHING = 0.1  # chosen by cross-validation together with what a Part fixes
_MOST_ITERATIONS, _TOLERANCE = 500, 1e-2  # a closer solution costs much and gains nothing
_LEAST_SPREAD = 0.01  # of the median feature's; less would blow up what a map says once in a while


@dataclass(frozen=True, slots=True, eq=False)
class PooledViews:
    """What a network makes of slices that are shown several times.

    Attributes:
        views: float32 (V, N, C), pooled features; the first view is the slices as they are, the
            last ones are those of :data:`covidct.data.reencode.REENCODED`.
        without_lungs: float32 (N, C), of the slices with their lungs occluded.
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


def shows(
    slices: PreparedSlices, augmentation: Augmentation, *, views: int, seed: int, first: int = 0
) -> list[Callable[[], PreparedSlices]]:
    """What makes each of the pictures that slices are shown as.

    The first are the slices with their lungs occluded, the second the slices as they are. Each
    picture of the others depends on the seed, its own position and that of its slice alone, so a
    run can begin with any, and several machines can share the slices.

    Args:
        slices: what to show.
        augmentation: random changes of the views but the first and those that are read anew.
        views: how often each slice is shown with its lungs, beside those that are read anew.
        seed: of the random changes.
        first: the position of the first slice among all that there are.
    """
    return [
        partial(_without_lungs, slices),
        *(partial(_view, slices, augmentation, seed, view, first) for view in range(views)),
        *(
            partial(_reencoded, slices, change, seed, number, first)
            for number, change in enumerate(REENCODED, views)
        ),
    ]


def pooled_views(
    trunks: TrunkMaps,
    slices: PreparedSlices,
    preprocess_input: Callable,
    augmentation: Augmentation,
    progress: Callable[[Iterable], Iterable] = iter,
    *,
    views: int,
    seed: int,
    first: int = 0,
) -> PooledViews:
    """What a network pools of slices that are shown several times, as :func:`shows` tells.

    Args:
        trunks: of the network.
        slices: what to show.
        preprocess_input: the backbone's normalisation.
        augmentation: random changes.
        progress: wraps the passes over the slices, to show how far it is.
        views: how often each slice is shown with its lungs, beside those that are read anew.
        seed: of the random changes.
        first: the position of the first slice among all that there are.
    """
    blank, *passes = (
        pooled_features(trunks, show(), preprocess_input)
        for show in progress(shows(slices, augmentation, views=views, seed=seed, first=first))
    )
    return PooledViews(np.stack(passes), blank, slices.labels)


def pooled_features(
    trunks: TrunkMaps,
    slices: PreparedSlices,
    preprocess_input: Callable,
    progress: Callable[[Iterable], Iterable] = iter,
) -> np.ndarray:
    """Pooled features of slices, float32 (N, C)."""
    return trunks.features(
        network_pixels(pixels[None], preprocess_input)[0] for pixels in progress(slices.pixels)
    )


def solve_parts(trunks: TrunkMaps, pooled: PooledViews, *, balanced: bool) -> Head:
    """The head of a network with these trunks, part by part."""
    everything = np.arange(len(pooled.labels))
    parts = parts_of(trunks)
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
        origins: by the position of each feature, where it comes from.
    """

    trunk: Trunk
    part: Part
    origins: dict[int, Origin]


def parts_of(trunks: TrunkMaps) -> list[PartFeatures]:
    """The parts of a network's trunks, in their order."""
    return [
        PartFeatures(
            trunk,
            part,
            {
                position: origin
                for position, origin in enumerate(trunks.origins)
                if (origin.trunk, origin.part) == (trunk.name, part.name)
            },
        )
        for trunk in trunks.backbone.trunks
        for part in trunk.parts
    ]


def solve(
    sources: Sequence[tuple[PooledViews, float]],
    *,
    balanced: bool,
    inverse_regularisation: float | None,
    label_smoothing: float = LABEL_SMOOTHING,
) -> Head:
    """The logistic regression on standardised features, where they are not a logit themselves.

    Args:
        sources: pooled views of one source of slices or more, each with the weight of a slice.
        balanced: weigh each class of a source as if it were half of it.
        inverse_regularisation: scikit-learn's C; None where the first feature is a logit.
        label_smoothing: the share of a slice's weight that counts for the other class.
    """
    if inverse_regularisation is None:
        return Head.of_logit(sources[0][0].views.shape[-1])
    rows, targets, weights = [], [], []
    for pooled, weight in sources:
        count = len(pooled.views)
        ill = pooled.labels == 1
        share = np.where(ill, ill.mean(), 1 - ill.mean()) if balanced else np.full(ill.size, 0.5)
        smoothed = np.where(ill, 1 - label_smoothing, label_smoothing)
        shown = [(view, smoothed, weight / (2 * share) / count) for view in pooled.views]
        blank = np.full(ill.size, weight)
        shown.append((pooled.without_lungs, np.full(ill.size, 0.5), blank))
        for features, covid, counts in shown:
            rows.append(features)
            targets.append(covid)
            weights.append(counts)
    counted = np.concatenate(weights)
    used = counted > 0
    features, counted = np.concatenate(rows)[used], counted[used]
    scaler = StandardScaler().fit(features, sample_weight=counted)
    scaler.scale_ = np.maximum(scaler.scale_, _LEAST_SPREAD * np.sqrt(np.median(scaler.var_)))
    kernel, bias = logistic_regression(
        scaler.transform(features),
        np.concatenate(targets)[used],
        counted,
        inverse_regularisation,
    )
    return Head(scaler.mean_, scaler.scale_**2, kernel, bias)


def logistic_regression(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, inverse_regularisation: float
) -> tuple[np.ndarray, float]:
    """The logistic regression with targets between the classes, which scikit-learn's does not take.

    Minimises the same mean of weighted log losses and the same penalty as scikit-learn's
    ``LogisticRegression``, by the same L-BFGS; the intercept is not penalised.

    Args:
        features: float32 (N, C), standardised.
        targets: (N,), 0 to 1.
        weights: (N,), not negative.
        inverse_regularisation: scikit-learn's C.

    Returns:
        Kernel float64 (C,) and intercept.
    """
    total = weights.sum()
    penalty = 1 / (inverse_regularisation * total)

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = coefficients[:-1], coefficients[-1]
        logits = features @ kernel.astype(features.dtype) + bias
        losses = np.logaddexp(0, logits) - targets * logits
        slopes = weights * (expit(logits) - targets) / total
        gradient = slopes.astype(features.dtype) @ features + penalty * kernel
        value = float(weights @ losses / total + penalty / 2 * (kernel @ kernel))
        return value, np.append(gradient, slopes.sum())

    # Threads of BLAS, which wait for each other in the solver's many small steps, would cost ten
    # times what they save in the products
    with threadpool_limits(1, user_api="blas"):
        found = minimize(
            loss,
            np.zeros(features.shape[1] + 1),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MOST_ITERATIONS, "gtol": _TOLERANCE, "maxls": 50},
        )
    return found.x[:-1], float(found.x[-1])


def _view(
    slices: PreparedSlices, augmentation: Augmentation, seed: int, view: int, first: int
) -> PreparedSlices:
    if view == 0:
        return slices
    changed = [
        augment(pixels, augmentation, rng)
        for pixels, rng in zip(slices.pixels, _chances(seed, view, first), strict=False)
    ]
    return replace(slices, pixels=np.stack(changed))


def _reencoded(
    slices: PreparedSlices, change: Callable[..., bytes], seed: int, view: int, first: int
) -> PreparedSlices:
    chances = _chances(seed, view, first)
    return read_anew(slices, lambda pixels: change(pixels, next(chances)))


def _chances(seed: int, view: int, first: int) -> Iterator[np.random.Generator]:
    """The source of chance for each slice from a position on."""
    return (np.random.default_rng([seed, view, position]) for position in itertools.count(first))


def _without_lungs(slices: PreparedSlices) -> PreparedSlices:
    return replace(slices, pixels=np.stack([without_lungs(pixels) for pixels in slices.pixels]))
