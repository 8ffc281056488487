from functools import cache
from typing import NamedTuple

import keras
import numpy as np
import pytest

from covidct.imaging.anatomy.thorax_crop import crop_thorax, network_pixels
from covidct.models.backbones import get_backbone, get_preprocess_input
from covidct.models.head import Head
from covidct.models.litert import float_graph
from covidct.models.network import POOLING_LAYER, build_network, put_head
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph

SIZE = (48, 64)


class Converted(NamedTuple):
    """A Keras network and its graph in floats."""

    network: keras.Model
    graph: bytes
    trunks: TrunkMaps


@pytest.fixture(scope="session")
def images_for(phantoms):
    """Makes the network pixels of eight phantoms for a backbone, float32 (8, h, w, 3)."""

    def make(backbone, size=SIZE):
        pixels = np.stack([crop_thorax(one.ct_slice, size).pixels for one in phantoms])
        return network_pixels(pixels, get_preprocess_input(backbone, "backbone"))

    return make


@pytest.fixture(scope="session")
def pooled():
    """Makes what a Keras network pools of images, (N, C)."""

    def make(network, images):
        features = network.get_layer(POOLING_LAYER).output
        return keras.Model(network.inputs[0], features)(images).numpy()

    return make


@pytest.fixture(scope="session")
def converted(images_for, pooled):
    """Makes a network of a backbone that tells phantoms apart and looks at mirror images."""

    @cache
    def make(backbone):
        keras.utils.set_random_seed(1)
        with_weights = backbone != "vgg16"  # whose weights are not shipped
        network = build_network(backbone, SIZE, pretrained=with_weights, mirrored=True)
        features = pooled(network, images_for(backbone))
        kernel = np.random.default_rng(0).normal(size=features.shape[1])
        mean, variance = features.mean(0), features.var(0)
        put_head(network, Head(mean, variance + variance.mean(), kernel / len(kernel) ** 0.5, 0.4))
        graph = float_graph(network)
        return Converted(network, graph, TrunkMaps(Graph(graph), get_backbone(backbone)))

    return make
