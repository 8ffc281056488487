import keras
import numpy as np
import tensorflow as tf

from covidct.models.astra_resnet import OPACITY_LAYER, SEEN
from covidct.models.backbones import ASTRA_OPACITIES, BACKBONES, read_pretrained_weights
from covidct.models.convert import astra_weights

ASTRA = BACKBONES["astra_resnet"]


def _state(rng):
    """Random weights under the names that Astra's file gives them."""

    def norm(name, width):
        parts = ("weight", "bias", "running_mean", "running_var")
        return {f"{name}.{part}": rng.uniform(size=width) for part in parts}

    state = {"conv1.weight": rng.normal(size=(64, 3, 3, 7, 7)), **norm("bn1", 64)}
    entering = 64
    for stage, (blocks, width) in enumerate(((3, 64), (8, 128), (2, 256)), start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            shapes = ((width, entering, 1), (width, width, 3), (4 * width, width, 1))
            for i, (out, into, side) in enumerate(shapes, start=1):
                state[f"{name}.conv{i}.weight"] = rng.normal(size=(out, into, side, side, side))
                state |= norm(f"{name}.bn{i}", out)
            if block == 0:
                shape = (4 * width, entering, 1, 1, 1)
                state[f"{name}.downsample.0.weight"] = rng.normal(size=shape)
                state |= norm(f"{name}.downsample.1", 4 * width)
            entering = 4 * width
    return state


def test_maps_are_an_eighth_and_a_sixteenth_of_the_slice_and_not_negative():
    images = keras.Input((96, 128, 1))
    network = keras.Model(images, ASTRA.trunks[0].features(images))
    finer, coarser, _ = network(np.random.default_rng(0).random((1, 96, 128, 1)))
    assert finer.shape == (1, 12, 16, 512)
    assert coarser.shape == (1, 6, 8, 1024)
    assert min(float(tf.reduce_min(maps)) for maps in (finer, coarser)) >= 0


def test_what_the_place_most_like_an_opacity_lacks_to_one_is_what_no_opacity_costs():
    images = keras.Input((96, 128, 1))
    network = keras.Model(images, ASTRA.trunks[0].features(images))
    rng = np.random.default_rng(0)
    slices, kernel = rng.random((3, 96, 128, 1)), rng.normal(size=512)
    finer, *_ = network(slices)
    largest = (finer.numpy() @ kernel).max(axis=(1, 2))
    bias = SEEN - np.median(largest)  # so that one is seen, one is not, and one is on the border
    network.get_layer(OPACITY_LAYER).set_weights([kernel[None, None, :, None], np.array([bias])])
    *_, seen = network(slices)
    assert seen.shape == (3, 12, 16, 1)
    assert np.ptp(seen.numpy(), axis=(1, 2)).max() == 0
    lacking = np.minimum(largest + bias - SEEN, 0)
    assert np.allclose(
        seen[:, 0, 0, 0] / seen[:, 0, 0, 0].numpy().min(), lacking / lacking.min(), atol=1e-3
    )
    assert seen.numpy().min() < 0 == seen.numpy().max()


def test_the_shipped_weights_fill_every_layer():
    images = keras.Input((64, 64, 1))
    weights = read_pretrained_weights("astra_resnet") | read_pretrained_weights(ASTRA_OPACITIES)
    for layer in keras.Model(images, ASTRA.trunks[0].features(images)).layers:
        for i, variable in enumerate(layer.weights):
            assert weights.pop(f"{layer.name}/{i}").shape == variable.shape
    assert not weights


def test_a_converted_kernel_sees_upright_slices_as_astra_saw_turned_volumes():
    rng = np.random.default_rng(0)
    state = _state(rng)
    upright = rng.normal(size=(1, 12, 12, 1))
    turned = upright[:, ::-1, ::-1].swapaxes(1, 2)
    volume = np.tile(turned[:, None], (1, 3, 1, 1, 3))
    kernel = state["conv1.weight"].transpose(2, 3, 4, 1, 0)
    theirs = tf.nn.conv3d(volume, kernel, [1] * 5, "VALID").numpy()[:, 0]
    ours = tf.nn.conv2d(upright, astra_weights(state, ASTRA)["stem_conv/0"], 1, "VALID").numpy()
    assert np.allclose(ours[:, ::-1, ::-1].swapaxes(1, 2), theirs)
