from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from covidct.errors import ModelError
from covidct.imaging.preprocess import find_chest, network_pixels
from covidct.models import astra_int8
from covidct.models.astra_int8 import (
    ENDS,
    ROUNDED_LAYERS,
    _by_floats,
    _by_onednn,
    _Convolution,
    _Maps,
    _onednn_is_exact,
    activation_ranges,
    integer_trunk,
    is_part_of,
)
from covidct.models.backbones import get_preprocess_input
from covidct.models.folding import fold_batch_norm
from covidct.models.network import activation_and_logit, build_network

SIZE = (96, 128)


@pytest.fixture(scope="module")
def network():
    return fold_batch_norm(build_network("astra_resnet", SIZE, mirrored=True))


@pytest.fixture(scope="module")
def images(phantoms):
    pixels = np.stack([find_chest(one.ct_slice, SIZE).pixels for one in phantoms[:4]])
    return network_pixels(pixels, get_preprocess_input("astra_resnet", "backbone"))


@pytest.fixture(scope="module")
def ranges(network, images):
    return activation_ranges(network, images)


def has_avx2():
    processor = Path("/proc/cpuinfo")
    return processor.exists() and " avx2 " in processor.read_text()


def maps_of(network, ranges, images):
    """What the trunk gives, rounded or not."""
    ends = [network.get_layer(f"{name}_relu").output for name in ENDS]
    if not ranges:
        return [maps.numpy() for maps in keras.Model(network.inputs[0], ends)(images)]
    # Keras gives no tensor that it was given, so each passes a layer
    outputs = [keras.layers.Identity()(end) for end in ends]
    run = tf.function(integer_trunk(network, ranges, outputs))
    return [maps.numpy() for maps in run(tf.constant(images))]


def error(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def test_rounded_maps_are_nearly_those_in_floats(network, ranges, images):
    rounded, exact = maps_of(network, ranges, images), maps_of(network, None, images)
    for found, wanted in zip(rounded, exact, strict=True):
        assert found.shape == wanted.shape
        assert error(found, wanted) < 0.1
        assert error(found.mean((1, 2)), wanted.mean((1, 2))) < 0.06


def test_every_processor_gets_nearly_the_same(network, ranges, images, monkeypatch):
    monkeypatch.setattr(astra_int8, "_onednn_is_exact", lambda: False)
    by_floats = maps_of(network, ranges, images)
    monkeypatch.undo()
    for found, wanted in zip(maps_of(network, ranges, images), by_floats, strict=True):
        assert error(found, wanted) < 0.05
        assert error(found.mean((1, 2)), wanted.mean((1, 2))) < 0.01


def test_what_one_slice_gives_depends_neither_on_others_nor_on_what_came_before(
    network, ranges, images
):
    look = tf.function(activation_and_logit(network, ranges))
    together = look(tf.constant(images))[1].numpy()
    alone = [look(tf.constant(images[[i]]))[1].numpy() for i in (2, 0, 1, 3, 0)]
    assert np.allclose(np.ravel(alone), together[[2, 0, 1, 3, 0]].ravel(), atol=1e-4)


def test_values_beyond_the_ranges_stay_at_their_end(network, ranges, images):
    halved = {name: top / 2 for name, top in ranges.items()}
    for name, maps in zip(ENDS, maps_of(network, halved, images), strict=True):
        assert maps.max() == pytest.approx(halved[f"{name}_relu"])


def test_ranges_are_the_greatest_values_whatever_the_batches(network, ranges, images):
    assert tuple(ranges) == ROUNDED_LAYERS
    stem = keras.Model(network.inputs[0], network.get_layer("stem_relu").output)
    assert ranges["stem_relu"] == pytest.approx(float(stem(images).numpy().max()))
    repeated = activation_ranges(network, np.concatenate([images] * 3))
    assert repeated == pytest.approx(ranges)


def test_only_a_trunk_with_folded_statistics_is_rounded(network):
    assert is_part_of(network)
    assert not is_part_of(build_network("astra_resnet", SIZE))
    assert not is_part_of(build_network("efficientnet_lite0", SIZE))


@pytest.mark.parametrize("change", [{"stem_relu": None}, {"other": 1.0}])
def test_ranges_of_another_network_are_refused(network, ranges, change):
    others = {name: top for name, top in (ranges | change).items() if top}
    with pytest.raises(ModelError, match="ranges"):
        activation_and_logit(network, others)


def test_ranges_without_the_trunk_are_refused(ranges):
    with pytest.raises(ModelError, match="ranges"):
        activation_and_logit(build_network("efficientnet_lite0", SIZE), ranges)


@pytest.mark.parametrize("shape", [(1, 1, 64, 32), (3, 3, 16, 8), (7, 7, 1, 4), (1, 1, 5, 3)])
def test_no_two_products_exceed_16_bits_and_sums_stay(shape):
    kernel = np.random.default_rng(0).standard_t(3, shape).astype(np.float32)
    integers, unit = _Convolution(kernel, np.zeros(shape[-1])).rounded()
    exact = kernel / unit
    assert np.abs(integers - exact).max() <= 1.001
    assert np.abs((integers - exact).sum((0, 1, 2))).max() < 0.6
    wide = integers.astype(int)
    for products in (np.maximum(wide, 0) * 255, np.minimum(wide, 0) * 255):
        pairs = np.pad(products, ((0, 0), (0, 0), (0, shape[2] % 2), (0, 0)))
        assert np.abs(pairs[:, :, ::2] + pairs[:, :, 1::2]).max() < 2**15


@pytest.mark.skipif(not has_avx2(), reason="for processors that oneDNN was written for")
def test_integers_need_no_newer_processor():
    assert _onednn_is_exact()


def test_maps_that_are_added_stay_as_they_were():
    rng = np.random.default_rng(0)
    x, added = (rng.integers(0, 256, (1, 6, 8, 64), np.uint8) for _ in range(2))
    convolution = _Convolution(
        rng.normal(0, 0.1, (1, 1, 64, 64)).astype(np.float32), np.zeros(64, np.float32)
    )

    def summed(convolve):
        @tf.function(autograph=False)
        def run(x, added):
            plus = _Maps(added, 1.5)
            return convolve(_Maps(x, 1.0), convolution, 3.0, plus).integers, plus.as_floats()

        return [found.numpy() for found in run(tf.constant(x), tf.constant(added))]

    for convolve in (_by_floats, _by_onednn) if _onednn_is_exact() else (_by_floats,):
        found, kept = summed(convolve)
        exact = x / 255 @ convolution.kernel[0, 0] + added * (1.5 / 255)
        assert np.abs(found / 255 * 3 - np.clip(exact, 0, 3)).max() < 0.05
        assert np.allclose(kept, added * (1.5 / 255))
