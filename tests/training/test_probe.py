import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from covidct.data.augment import Augmentation
from covidct.data.index import read_index
from covidct.data.stream import evaluation_batches, prepare
from covidct.models.backbones import unit_preprocess_input
from covidct.models.network import LOGIT_LAYER, build_network
from covidct.training.probe import solve_head

SIZE = (64, 64)


@pytest.fixture(scope="module")
def slices(phantom_dataset):
    return prepare(read_index(phantom_dataset).items, SIZE)


@pytest.fixture(scope="module")
def network():
    return build_network("astra_resnet", SIZE)


def _solve(network, slices, **changes):
    options = {"views": 2, "balanced": True, "seed": 0} | changes
    solve_head(network, slices, unit_preprocess_input, Augmentation(), **options)
    return network.get_layer(LOGIT_LAYER).get_weights()


def test_a_solved_head_tells_the_training_slices_apart(network, slices):
    _solve(network, slices)
    logits = network.predict(evaluation_batches(slices, 8, unit_preprocess_input), verbose=0)[:, 0]
    assert roc_auc_score(slices.labels, logits) > 0.9
    assert logits[slices.labels == 1].mean() > 0 > logits[slices.labels == 0].mean()


def test_the_same_seed_solves_the_same_head(network, slices):
    first, again, other = (_solve(network, slices, seed=seed)[0] for seed in (3, 3, 4))
    assert np.allclose(first, again, rtol=1e-3, atol=1e-6)
    assert not np.allclose(first, other, rtol=1e-3, atol=1e-6)


def test_only_the_head_is_changed(network, slices):
    backbone = network.weights[:-4]
    before = [weight.numpy() for weight in backbone]
    _solve(network, slices)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, backbone, strict=True))
