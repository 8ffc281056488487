import keras
import numpy as np
import pytest

from covidct.errors import ConfigError, ModelError
from covidct.models.backbones import BACKBONES
from covidct.models.head import Head
from covidct.models.network import (
    COMMON_GRID_LAYER,
    build_network,
    copy_weights,
    freeze_for_finetuning,
    head_of,
    is_mirrored,
    on_common_grid,
    pooled_maps,
    put_head,
    trunk_models,
)


def maps_and_logit(network):
    """The same network with what is pooled, (N, h, w, C), as another output."""
    same = on_common_grid(network)
    return keras.Model(same.input, [same.get_layer(COMMON_GRID_LAYER).output, same.output])


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


def test_a_head_that_is_put_into_a_network_is_found_there_for_its_pooled_features(network, pooled):
    images = np.random.default_rng(0).random((3, 64, 96, 3)).astype(np.float32)
    features, rng = pooled(network, images), np.random.default_rng(1)
    count = features.shape[1]
    head = Head(rng.normal(size=count), rng.uniform(0.5, 2, count), rng.normal(size=count), 0.3)
    put_head(network, head)
    logits = network(images)[:, 0]
    assert np.allclose(head.logits(features), logits, atol=1e-3)
    raw = head_of(network)
    assert np.allclose(features @ raw.kernel + raw.bias, logits, atol=1e-3)


def test_each_trunk_is_a_network_from_a_picture_of_its_size_to_its_maps():
    network = build_network("astra_lite", (64, 96), pretrained=False, mirrored=True)
    trunks = trunk_models(network)
    shapes = {
        name: (trunk.input_shape, [one.shape for one in trunk.outputs])
        for name, trunk in trunks.items()
    }
    assert shapes == {
        "Astra": ((None, 64, 96, 1), [(None, 8, 12, 512), (None, 4, 6, 1024), (None, 8, 12, 1)]),
        "Lite": ((None, 48, 72, 1), [(None, 6, 9, 240), (None, 3, 5, 672)]),
    }
    shared = {id(weight) for weight in network.weights}
    assert all(id(weight) in shared for trunk in trunks.values() for weight in trunk.weights)


def test_a_mirrored_network_says_the_mean_of_both_ways_and_its_map_is_mirrored_with_the_slice():
    plain = build_network("astra_resnet", (64, 96))
    both = build_network("astra_resnet", (64, 96), pretrained=False, mirrored=True)
    copy_weights(plain, both)
    slices = np.random.default_rng(0).random((3, 64, 96, 3)).astype(np.float32)
    turned = slices[:, :, ::-1]
    assert np.allclose(both(slices), (plain(slices) + plain(turned)) / 2, atol=1e-4)
    maps, _ = maps_and_logit(both)(slices)
    maps_of_turned, _ = maps_and_logit(both)(turned)
    assert np.allclose(maps_of_turned, maps[:, :, ::-1], atol=1e-3)
    assert is_mirrored(both)
    assert not is_mirrored(plain)


@pytest.mark.parametrize("size", [(64, 96), (96, 112)])
def test_the_common_grid_changes_nothing(size):
    network = build_network("astra_lite", size, mirrored=True)
    slices = np.random.default_rng(0).random((2, *size, 3)).astype(np.float32)
    assert len({one.maps.shape[1:3] for one in pooled_maps(network)}) == 4
    assert np.allclose(on_common_grid(network)(slices), network(slices), atol=1e-3)


def test_a_network_of_an_earlier_version_is_refused_with_what_to_do():
    images = keras.Input((64, 64, 3))
    earlier = keras.Model(images, keras.layers.Flatten()(images), name="astra_lite")
    for ask in (trunk_models, pooled_maps, on_common_grid):
        with pytest.raises(ModelError, match=r"earlier version.*train again"):
            ask(earlier)


def test_only_trunks_that_gain_by_it_see_the_mirror_image():
    network = build_network("astra_lite", (64, 96), pretrained=False, mirrored=True)
    both_ways = [one.both_ways for one in pooled_maps(network)]
    assert both_ways == [True] * 3 * 2 * 2 + [False] * 2 * 2 * 2  # maps, covers, statistics


def test_vgg16_sees_the_channels_that_keras_gives_it():
    network = build_network("vgg16", (64, 64), pretrained=False)
    grey = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1)).astype(np.float32)
    theirs = keras.applications.vgg16.preprocess_input(np.repeat(grey, 3, axis=-1))
    pixels = np.concatenate([theirs[..., :1], np.ones_like(grey), np.ones_like(grey)], axis=-1)
    channels = keras.Model(network.input, network.get_layer("channels").output)
    assert np.allclose(channels(pixels), theirs, atol=1e-4)


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
