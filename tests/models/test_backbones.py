import json
import shutil

import keras
import numpy as np
import pytest

from covidct.errors import ConfigError, ModelIntegrityError
from covidct.models import backbones
from covidct.models.astra_resnet import OPACITY_LAYER
from covidct.models.backbones import (
    BACKBONES,
    get_backbone,
    get_preprocess_input,
    read_pretrained_graph,
    read_pretrained_weights,
    unit_preprocess_input,
)
from covidct.models.convert import RECOGNISED, imagenet_classifier, ranks_of_photographs
from covidct.models.network import build_network

LITES = [name for name in BACKBONES if name.startswith("efficientnet_lite")]


@pytest.mark.parametrize("name", LITES)
def test_shipped_imagenet_weights_recognise_a_palace(name):
    backbone = BACKBONES[name]
    classifier = imagenet_classifier(backbone, read_pretrained_weights(name))
    card = json.loads((backbones.PRETRAINED_DIR / "card.json").read_text(encoding="utf-8"))
    known = card["files"][f"{name}.npz"]["rank_of_sample_photographs"]["palace"]
    assert ranks_of_photographs(backbone, classifier)["palace"] == known <= RECOGNISED


@pytest.mark.parametrize(
    ("read", "name", "ending"),
    [
        (read_pretrained_weights, "efficientnet_lite0", "npz"),
        (read_pretrained_graph, "astra_lite", "tflite"),
    ],
)
def test_a_changed_pretrained_file_is_not_opened(tmp_path, monkeypatch, read, name, ending):
    shutil.copytree(backbones.PRETRAINED_DIR, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(backbones, "PRETRAINED_DIR", tmp_path)
    file = tmp_path / f"{name}.{ending}"
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(ModelIntegrityError, match="missing or changed"):
        read(name)
    file.unlink()
    with pytest.raises(ModelIntegrityError, match="missing or changed"):
        read(name)


def test_of_a_backbone_without_a_shipped_graph_there_is_none():
    assert read_pretrained_graph("vgg16") is None


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_has_opacity_places_where_its_network_has_the_layer(name):
    network = build_network(name, (96, 128), pretrained=False)
    layers = {layer.name for layer in network.layers}
    assert BACKBONES[name].has_opacity_places == (OPACITY_LAYER in layers)


def test_vgg16_has_the_published_number_of_weights():
    images = keras.Input((224, 224, 3))
    model = keras.Model(images, get_backbone("vgg16").trunks[0].features(images))
    assert model.count_params() == 14_714_688
    assert model.output[0].shape == (None, 14, 14, 512)


def test_vgg16_normalises_as_keras_does_and_changes_nothing_in_place():
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    expected, before = keras.applications.vgg16.preprocess_input(pixels.copy()), pixels.copy()
    found = get_preprocess_input("vgg16", "backbone")(pixels)
    assert np.allclose(found, expected)
    assert found.dtype == np.float32
    assert np.array_equal(pixels, before)


def test_every_backbone_can_be_fed_pixels_between_0_and_1():
    for name in BACKBONES:
        assert get_preprocess_input(name, "unit") is unit_preprocess_input


def test_unknown_names_are_refused_with_those_that_exist():
    with pytest.raises(ConfigError, match="efficientnet_lite0"):
        get_backbone("resnet")
    with pytest.raises(ConfigError, match="unit"):
        get_preprocess_input("vgg16", "percent")
