import keras
import numpy as np
import pytest

from covidct.errors import ConfigError
from covidct.models.backbones import BACKBONES
from covidct.models.network import build_network, features_and_logit, freeze_for_finetuning


@pytest.fixture(scope="module")
def network():
    return build_network("efficientnet_lite0", (64, 96), dropout=0.5)


def test_the_graph_is_flat_and_gives_one_logit(network):
    assert not any(isinstance(layer, keras.Model) for layer in network.layers)
    assert network.output_shape == (None, 1)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_makes_a_network(name):
    network = build_network(name, (64, 64), pretrained=False)
    assert network(np.zeros((1, 64, 64, 3), np.float32)).shape == (1, 1)


def test_features_and_logit_share_the_networks_weights(network):
    pixels = np.random.default_rng(0).normal(size=(2, 64, 96, 3)).astype(np.float32)
    features, logit = features_and_logit(network)(pixels)
    assert features.shape == (2, 2, 3, 1280)
    assert np.allclose(logit, network(pixels), atol=1e-5)


def test_fine_tuning_never_trains_batch_norm(network):
    freeze_for_finetuning(network, 1.0)
    trainable = [layer for layer in network.layers if layer.trainable and layer.weights]
    assert trainable
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in trainable)


def test_the_share_counts_from_the_head(network):
    freeze_for_finetuning(network, 0.0)
    assert {w.path for w in network.trainable_weights} == {"logit/kernel", "logit/bias"}
    freeze_for_finetuning(network, 0.3)
    assert network.get_layer("head_conv").trainable
    assert not network.get_layer("stem_conv").trainable


def test_vgg16_without_a_network_connection_says_what_to_do(monkeypatch):
    def offline(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "VGG16", offline)
    network = keras.Sequential([keras.Input((64, 64, 3))])
    with pytest.raises(ConfigError, match=r"could not be downloaded.*efficientnet_lite"):
        BACKBONES["vgg16"].load_pretrained(network)
