from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from covidct.data.augment import Augmentation
from covidct.data.index import read_index
from covidct.data.republish import REPUBLISHED
from covidct.data.stream import evaluation_batches, prepare
from covidct.imaging.blanking import without_lungs
from covidct.models.backbones import unit_preprocess_input
from covidct.models.network import LOGIT_LAYER, build_network
from covidct.training.probe import parts_of, pooled_views, pooling_of, solve, solve_parts

SIZE = (64, 64)


@pytest.fixture(scope="module")
def slices(phantom_dataset):
    return prepare(read_index(phantom_dataset).items, SIZE)


@pytest.fixture(scope="module")
def network():
    return build_network("astra_resnet", SIZE)


@pytest.fixture(scope="module")
def pooling(network):
    return pooling_of(network)


@pytest.fixture(scope="module")
def pooled(pooling, slices):
    return _pooled(pooling, slices)


def _pooled(pooling, slices, seed=0):
    augmentation = Augmentation()
    return pooled_views(pooling, slices, unit_preprocess_input, augmentation, views=2, seed=seed)


def _solve(network, pooled):
    solve_parts(network, pooled, balanced=True).put_into(network)
    return network.get_layer(LOGIT_LAYER).get_weights()


def test_a_solved_head_tells_the_training_slices_apart(network, slices, pooled):
    _solve(network, pooled)
    logits = network.predict(evaluation_batches(slices, 8, unit_preprocess_input), verbose=0)[:, 0]
    assert roc_auc_score(slices.labels, logits) > 0.9
    assert logits[slices.labels == 1].mean() > 0 > logits[slices.labels == 0].mean()


def test_a_thorax_without_lungs_tells_nothing(network, slices, pooled):
    _solve(network, pooled)
    emptied = replace(slices, pixels=np.stack([without_lungs(p) for p in slices.pixels]))
    shown, blank = (
        network.predict(evaluation_batches(some, 8, unit_preprocess_input), verbose=0)[:, 0]
        for some in (slices, emptied)
    )
    assert np.abs(blank).mean() < np.abs(shown).mean() / 2


def test_a_head_gives_the_logits_of_the_network_it_is_put_into(network, slices, pooled):
    assert pooled.views.shape[:2] == (2 + len(REPUBLISHED), len(slices.items))
    head = solve([(pooled, 1.0), (pooled, 0.5)], balanced=False, inverse_regularisation=0.02)
    head.put_into(network)
    logits = network.predict(evaluation_batches(slices, 8, unit_preprocess_input), verbose=0)
    assert np.allclose(head.logits(pooled.views[0]), logits[:, 0], atol=1e-3)


def test_the_parts_logits_are_summed(slices):
    network = build_network("astra_lite", SIZE)
    pooled = _pooled(pooling_of(network), slices)
    head = solve_parts(network, pooled, balanced=True)
    parts = parts_of(network)
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


def test_smoothed_labels_make_no_logit_extreme(pooled):
    sure, smoothed = (
        solve([(pooled, 1.0)], balanced=True, inverse_regularisation=1.0, label_smoothing=smoothing)
        for smoothing in (0.0, 0.2)
    )
    shown, blank = pooled.views[0], pooled.without_lungs
    assert np.abs(sure.logits(shown)).mean() > np.abs(smoothed.logits(shown)).mean()
    assert np.abs(smoothed.logits(shown)).max() < 2 * np.log(0.8 / 0.2)
    assert np.abs(smoothed.logits(blank)).mean() < np.abs(smoothed.logits(shown)).mean() / 2


def test_how_a_second_source_differs_as_a_whole_does_not_matter(pooled):
    brighter = replace(pooled, views=pooled.views + 3, without_lungs=pooled.without_lungs + 3)
    heads = [
        solve([(pooled, 1.0), (other, 0.5)], balanced=True, inverse_regularisation=0.02)
        for other in (pooled, brighter)
    ]
    first, second = (head.logits(pooled.views[0]) for head in heads)
    assert np.allclose(first, second, atol=0.02 * np.abs(first).max())


def test_the_same_seed_solves_the_same_head(network, pooling, slices):
    first, again, other = (_solve(network, _pooled(pooling, slices, seed))[0] for seed in (3, 3, 4))
    assert np.allclose(first, again, rtol=1e-3, atol=1e-6)
    assert not np.allclose(first, other, rtol=1e-3, atol=1e-6)


def test_only_the_head_is_changed(network, pooled):
    backbone = network.weights[:-4]
    before = [weight.numpy() for weight in backbone]
    _solve(network, pooled)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, backbone, strict=True))


def test_a_feature_that_hardly_varied_does_not_decide_when_it_does(pooled):
    views, blank = pooled.views.copy(), pooled.without_lungs.copy()
    views[..., 0], blank[:, 0] = 1e-6 * pooled.labels, 0
    nearly_dead = replace(pooled, views=views, without_lungs=blank)
    head = solve([(nearly_dead, 1.0)], balanced=True, inverse_regularisation=0.02)
    awake = views[0].copy()
    awake[:, 0] = np.median(views[0].std(axis=0))
    assert np.abs(head.logits(awake) - head.logits(views[0])).max() < 0.1
