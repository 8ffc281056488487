import keras
import numpy as np
import pytest

from covidct.models.folding import fold_batch_norm
from covidct.models.network import STANDARDISE_LAYER, build_network


@pytest.fixture(scope="module", params=["astra_lite", "vgg16"])
def network(request):
    network = build_network(request.param, (64, 64), pretrained=False)
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return network


def test_the_folded_network_says_the_same_without_normalisation_after_convolutions(network):
    before = [weights.copy() for weights in network.get_weights()]
    folded = fold_batch_norm(network)
    slices = np.random.default_rng(1).random((2, 64, 64, 3)).astype(np.float32)
    assert np.allclose(folded(slices), network(slices), rtol=1e-3, atol=1e-3)
    norms = [one.name for one in folded.layers if isinstance(one, keras.layers.BatchNormalization)]
    assert norms == [STANDARDISE_LAYER]
    assert folded.name == network.name
    assert all(map(np.array_equal, before, network.get_weights()))
