from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf

from covidct.models.backbones import BACKBONES, get_backbone
from covidct.models.head import LinearHead
from covidct.models.litert import converted as converted_graph
from covidct.models.network import build_network, copy_weights, head_of, trunk_models
from covidct.models.pooling import Origin, TrunkMaps, resized
from covidct.runtime.graph import Graph, GraphError

KINDS = ("efficientnet_lite0", "vgg16", "astra_resnet", "astra_lite")


def error(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def unmirrored(one):
    network = build_network(one.network.name, one.trunks.image_size, pretrained=False)
    copy_weights(one.network, network)
    return one._replace(network=network)


@pytest.mark.parametrize("backbone", KINDS)
def test_features_are_those_that_the_keras_network_pools(converted, images_for, pooled, backbone):
    one, images = unmirrored(converted(backbone)), images_for(backbone)
    features = one.trunks.features(images)
    assert features.shape == (len(images), len(one.trunks.origins))
    assert features.dtype == np.float32
    assert error(features, pooled(one.network, images)) < 1e-4


@pytest.mark.parametrize("backbone", KINDS)
def test_logits_are_those_of_the_keras_network(converted, images_for, backbone):
    one, images = converted(backbone), images_for(backbone)
    head = head_of(one.network)
    for network, mirrored in ((one.network, True), (unmirrored(one).network, False)):
        _, logits = one.trunks.activations_and_logits(images, head, mirrored)
        assert logits.dtype == np.float32
        assert np.ptp(logits) > 0.1
        assert np.allclose(logits, network(images)[:, 0], atol=1e-3)


@pytest.mark.parametrize("backbone", KINDS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_activations_sum_up_to_the_logit_without_its_bias(
    converted, images_for, backbone, mirrored
):
    one, images = converted(backbone), images_for(backbone)
    head = head_of(one.network)
    activations, logits = one.trunks.activations_and_logits(images, head, mirrored)
    assert activations.shape == (len(images), *one.trunks.grid)
    assert activations.dtype == np.float32
    shares = np.abs(activations).sum(axis=(1, 2))
    # Grids of Lite beside Astra do not divide those of Astra
    nearly = 0.05 * shares.max() if backbone == "astra_lite" else 1e-3
    assert np.allclose(activations.sum(axis=(1, 2)) + head.bias, logits, atol=nearly)


def test_the_map_of_a_slice_in_a_mirror_is_the_map_in_a_mirror(converted, images_for):
    one, images = converted("astra_resnet"), images_for("astra_resnet")
    head = head_of(one.network)
    straight, turned = (
        one.trunks.activations_and_logits(some, head, True) for some in (images, images[:, :, ::-1])
    )
    assert np.allclose(turned[1], straight[1], atol=1e-4)
    assert np.allclose(turned[0], straight[0][:, :, ::-1], atol=1e-4)


def test_what_one_slice_gives_depends_neither_on_others_nor_on_threads(converted, images_for):
    one, images = converted("astra_lite"), images_for("astra_lite")
    together = one.trunks.features(images)
    alone = [one.trunks.features(images[[number]])[0] for number in (2, 0, 1, 0)]
    assert np.array_equal(alone, together[[2, 0, 1, 0]])
    head = head_of(one.network)
    alone = [one.trunks.activations_and_logits([image], head, True) for image in images]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(
            pool.map(lambda i: one.trunks.activations_and_logits([i], head, True), [*images] * 3)
        )
    for (activation, logit), (expected, expected_logit) in zip(threaded, alone * 3, strict=True):
        assert np.array_equal(activation, expected)
        assert np.array_equal(logit, expected_logit)


def test_more_slices_than_are_on_the_way_at_a_time_stay_in_order(converted, images_for):
    one, images = converted("efficientnet_lite0"), images_for("efficientnet_lite0")
    few = one.trunks.features(images)
    many = one.trunks.features(image for _ in range(5) for image in images)
    assert np.array_equal(many, np.tile(few, (5, 1)))


def test_no_slices_have_no_features(converted):
    trunks = converted("efficientnet_lite0").trunks
    assert trunks.features([]).shape == (0, len(trunks.origins))


def test_each_trunk_part_cover_and_statistic_has_its_own_features(converted):
    assert converted("efficientnet_lite0").trunks.origins == (
        *[Origin("only", "all", "thorax", "mean")] * 1280,
        *[Origin("only", "all", "opacities", "mean")] * 1280,
    )
    origins = converted("astra_lite").trunks.origins
    assert [one.trunk for one in origins] == ["Astra"] * 4 * (512 + 1024 + 1) + ["Lite"] * 4 * 912
    parts = dict.fromkeys((one.trunk, one.part) for one in origins)
    assert list(parts) == [
        ("Astra", "stage 2"),
        ("Astra", "stage 3"),
        ("Astra", "no opacity seen"),
        ("Lite", "early"),
    ]
    assert list(dict.fromkeys(one[2:] for one in origins)) == [
        ("thorax", "mean"),
        ("thorax", "deviation"),
        ("opacities", "mean"),
        ("opacities", "deviation"),
    ]


def test_a_graph_of_an_earlier_version_lacks_what_was_added_since(converted, images_for):
    one, images = converted("astra_lite"), images_for("astra_lite")
    trunks = trunk_models(one.network)
    astra = keras.Model(trunks["Astra"].inputs, trunks["Astra"].outputs[:-1])
    earlier = TrunkMaps(
        Graph(converted_graph(trunks | {"Astra": astra})), get_backbone("astra_lite")
    )
    since = np.array([origin.part == "no opacity seen" for origin in one.trunks.origins])
    kept = [o for o, new in zip(one.trunks.origins, since, strict=True) if not new]
    assert list(earlier.origins) == kept
    assert error(earlier.features(images), one.trunks.features(images)[:, ~since]) < 1e-4


def test_only_what_lies_inside_the_covers_counts(converted, images_for):
    one, image = converted("astra_resnet"), images_for("astra_resnet")[:1].copy()
    image[..., 1:] = 0
    image[:, 8:40, 8:56, 1] = image[:, 16:32, 16:48, 2] = 1
    of_opacities = [o.cover == "opacities" and o.part == "stage 2" for o in one.trunks.origins]
    head = head_of(one.network)
    on_opacities = LinearHead(head.kernel * np.float32(of_opacities), head.bias)
    (activation,), _ = one.trunks.activations_and_logits(image, on_opacities, False)
    inside = np.zeros(one.trunks.grid, bool)
    inside[1:5, 1:7] = True
    assert not activation[~inside].any()
    assert activation[2:4, 2:6].all()
    fainter = image * np.float32([1, 0.5, 0.5])
    _, (logit, faint) = one.trunks.activations_and_logits(
        np.concatenate([image, fainter]), head, True
    )
    assert faint == pytest.approx(logit, rel=0.03)  # nearly: hardly any cover counts as none


@pytest.mark.parametrize(
    ("graph", "backbone"),
    [
        ("efficientnet_lite0", "astra_resnet"),
        ("astra_resnet", "astra_lite"),
        ("astra_resnet", "vgg16"),
    ],
)
def test_a_graph_of_another_backbone_is_refused(converted, graph, backbone):
    with pytest.raises(GraphError, match=backbone):
        TrunkMaps(converted(graph).trunks.graph, get_backbone(backbone))


def test_every_backbone_is_of_a_kind_that_is_tried():
    kinds = {name.rstrip("012") for name in KINDS}
    assert {name.rstrip("012") for name in BACKBONES} == kinds


@pytest.mark.parametrize(
    ("size", "other"), [((96, 128), (12, 16)), ((48, 64), (36, 48)), ((45, 61), (6, 90))]
)
def test_resizing_is_tensorflows_bilinear_and_antialiased_one(size, other):
    values = np.random.default_rng(0).normal(size=size).astype(np.float32)
    for some in (values, values[:, ::-1]):
        theirs = tf.image.resize(some[..., None], other, "bilinear", antialias=True)[..., 0]
        assert np.allclose(resized(some, other), theirs, atol=1e-5)
        assert np.array_equal(resized(some, size), some)
