from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from covidct.data.augment import Augmentation
from covidct.data.index import read_index
from covidct.data.prepared import prepare
from covidct.data.reencode import REENCODED
from covidct.imaging.anatomy.occlusion import without_lungs
from covidct.models.backbones import get_backbone, unit_preprocess_input
from covidct.models.litert import float_graph
from covidct.models.network import build_network
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph
from covidct.training.probe import (
    logistic_regression,
    parts_of,
    pooled_features,
    pooled_views,
    solve,
    solve_parts,
)

SIZE = (48, 64)
LOWERED = ("no opacity seen", "thorax", "mean")


@pytest.fixture(scope="module")
def slices(phantom_dataset):
    return prepare(read_index(phantom_dataset).items, SIZE)


@pytest.fixture(scope="module")
def trunks():
    graph = float_graph(build_network("astra_lite", SIZE))
    return TrunkMaps(Graph(graph), get_backbone("astra_lite"))


@pytest.fixture(scope="module")
def pooled(trunks, slices):
    return _pooled(trunks, slices)


def _pooled(trunks, slices, seed=0):
    augmentation = Augmentation()
    return pooled_views(trunks, slices, unit_preprocess_input, augmentation, views=2, seed=seed)


@pytest.fixture(scope="module")
def head(trunks, pooled):
    return solve_parts(trunks, pooled, balanced=True)


def test_a_solved_head_tells_the_training_slices_apart(head, slices, pooled):
    logits = head.logits(pooled.views[0])
    assert roc_auc_score(slices.labels, logits) > 0.9
    assert logits[slices.labels == 1].mean() > 0 > logits[slices.labels == 0].mean()


def test_a_thorax_without_lungs_tells_nothing_but_that_no_opacity_is_seen(
    trunks, head, slices, pooled
):
    emptied = replace(slices, pixels=np.stack([without_lungs(p) for p in slices.pixels]))
    features = pooled_features(trunks, emptied, unit_preprocess_input)
    (lowered,) = (i for i, o in enumerate(trunks.origins) if o[1:] == LOWERED)
    blank = head.logits(features) - features[:, lowered]
    assert np.abs(blank).mean() < np.abs(head.logits(pooled.views[0])).mean() / 2


def test_no_opacity_seen_is_a_logit_that_is_not_solved(trunks, head, pooled):
    own = [i for i, o in enumerate(trunks.origins) if o.part == LOWERED[0]]
    kernel = head.of_raw_features().kernel[own]
    assert trunks.origins[own[0]][1:] == LOWERED
    assert np.allclose(kernel, [1, 0, 0, 0])
    assert pooled.views[..., own[0]].min() < 0


def test_the_slices_as_they_are_are_the_first_view(trunks, slices, pooled):
    assert pooled.views.shape[:2] == (2 + len(REENCODED), len(slices.items))
    plain = pooled_features(trunks, slices, unit_preprocess_input)
    assert np.array_equal(pooled.views[0], plain)
    assert not np.array_equal(pooled.views[1], plain)


def test_the_parts_logits_are_summed(trunks, pooled, head):
    parts = parts_of(trunks)
    positions = np.concatenate([list(one.origins) for one in parts])
    assert np.array_equal(positions, np.arange(pooled.views.shape[-1]))
    summed = 0
    for _, part, origins in parts:
        own = pooled.of(np.arange(24), np.array(list(origins)), slice(None))
        alone = solve(
            [(own, 1.0)], balanced=True, inverse_regularisation=part.inverse_regularisation
        )
        summed = summed + part.weight * alone.logits(own.views[0])
    assert np.allclose(head.logits(pooled.views[0]), summed, atol=1e-3)


def test_targets_between_the_classes_are_scikit_learns_weighted_rows_of_both(pooled):
    features = (pooled.views[0] - pooled.views[0].mean(0)) / (pooled.views[0].std(0) + 1)
    targets = np.where(pooled.labels == 1, 0.9, 0.1)
    weights = np.linspace(0.5, 2, len(targets))
    kernel, bias = logistic_regression(features, targets, weights, 0.15)
    theirs = LogisticRegression(C=0.15, max_iter=500, tol=1e-2).fit(
        np.concatenate([features] * 2),
        np.repeat([1, 0], len(targets)),
        sample_weight=np.concatenate([weights * targets, weights * (1 - targets)]),
    )
    assert np.allclose(kernel, theirs.coef_[0], atol=1e-3 * np.abs(kernel).max())
    assert bias == pytest.approx(float(theirs.intercept_[0]), abs=1e-3)


def test_smoothed_labels_make_no_logit_extreme(pooled):
    sure, smoothed = (
        solve([(pooled, 1.0)], balanced=True, inverse_regularisation=1.0, label_smoothing=smoothing)
        for smoothing in (0.0, 0.2)
    )
    shown, blank = pooled.views[0], pooled.without_lungs
    assert np.abs(sure.logits(shown)).mean() > np.abs(smoothed.logits(shown)).mean()
    assert np.abs(smoothed.logits(shown)).max() < 2 * np.log(0.8 / 0.2)
    assert np.abs(smoothed.logits(blank)).mean() < np.abs(smoothed.logits(shown)).mean() / 2


def test_a_source_of_one_class_counts_as_one_class_of_a_whole_source(trunks, pooled):
    """Healthy slices taken out of a source and given back as a source of their own: the same."""
    astra = np.array([origin.trunk == "Astra" for origin in trunks.origins])
    pooled = pooled.of(np.arange(24), astra, slice(None))
    ill, healthy = (
        pooled.of(np.flatnonzero(pooled.labels == label), np.arange(astra.sum()), slice(None))
        for label in (1, 0)
    )
    whole, parts = (
        solve(sources, balanced=True, inverse_regularisation=0.02)
        for sources in ([(pooled, 1.0)], [(ill, 1.0), (healthy, 1.0)])
    )
    views = pooled.views[0]
    assert np.corrcoef(whole.logits(views), parts.logits(views))[0, 1] > 0.98


def test_the_same_seed_solves_the_same_head(trunks, slices):
    first, again, other = (
        solve_parts(trunks, _pooled(trunks, slices, seed), balanced=True).kernel
        for seed in (3, 3, 4)
    )
    assert np.allclose(first, again, rtol=1e-3, atol=1e-6)
    assert not np.allclose(first, other, rtol=1e-3, atol=1e-6)


def test_a_feature_that_hardly_varied_does_not_decide_when_it_does(pooled):
    views, blank = pooled.views.copy(), pooled.without_lungs.copy()
    views[..., 0], blank[:, 0] = 1e-6 * pooled.labels, 0
    nearly_dead = replace(pooled, views=views, without_lungs=blank)
    head = solve([(nearly_dead, 1.0)], balanced=True, inverse_regularisation=0.02)
    awake = views[0].copy()
    awake[:, 0] = np.median(views[0].std(axis=0))
    assert np.abs(head.logits(awake) - head.logits(views[0])).max() < 0.1
