"""Astra's trunk in integers of 8 bits: a half to a third of the time that 32-bit floats take.

Kernels are rounded channel by channel, maps from zero to the greatest value that training slices
gave; products are summed in 32 bits (Jacob et al. 2018, arXiv:1712.05877). The convolutions are
those that oneDNN brings to TensorFlow. Where it has none, or would lose the greatest products,
floats take the same steps: slower, but the verdict on a slice hardly depends on the machine.
"""

from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import KerasTensor, ops

from covidct.errors import ModelError
from covidct.models.astra_resnet import BLOCKS, ENDS

_FIRST_LAYER, _BATCH_NORM = "stem_pad", "stem_bn"
_LEVELS = 255
_KERNEL_LEVELS = 126  # 128 * 255 fits into 16 bits; two roundings may add one each
_ONEDNN_KERNEL_LEVELS = 127  # what its scales are for
_BATCH = 8
_LEAST_RANGE = 1e-6  # of maps that are zero everywhere, as a network can be trained to
# After each of these layers, none of which gives less than zero, maps are rounded
ROUNDED_LAYERS = (
    "stem_relu",
    *(f"{block.name}{which}_relu" for block, which in product(BLOCKS, ("_reduce", "_spatial", ""))),
)


class _Maps(NamedTuple):
    """Feature maps.

    Attributes:
        integers: uint8 (N, h, w, C).
        top: what the greatest integer stands for.
    """

    integers: tf.Tensor
    top: float

    @property
    def unit(self) -> float:
        """What one stands for."""
        return self.top / _LEVELS

    def padded(self, width: int) -> "_Maps":
        """With a margin of zeros."""
        margin = [width, width]
        return self._replace(integers=tf.pad(self.integers, [[0, 0], margin, margin, [0, 0]]))

    def as_floats(self) -> tf.Tensor:
        """The values, float32."""
        return tf.cast(self.integers, tf.float32) * self.unit


class _Convolution(NamedTuple):
    """A convolution with its bias.

    Attributes:
        kernel: float32 (h, w, C, D).
        bias: float32 (D,).
        stride: of its steps.
    """

    kernel: np.ndarray
    bias: np.ndarray
    stride: int = 1

    def rounded(self) -> tuple[np.ndarray, np.ndarray]:
        """The kernel as int8, and what one stands for in each output channel.

        Processors without VNNI add the products of two neighbouring input channels in 16 bits:
        units are so large that none is lost there. What rounding takes from one number the next
        one gets, so that the sum over an output channel stays.
        """
        neighbours = self.kernel[:, :, :-1:2] + self.kernel[:, :, 1::2]
        alone, added = (abs(x).max((0, 1, 2), initial=0) for x in (self.kernel, neighbours))
        greatest = np.maximum(np.maximum(alone, added), np.finfo(np.float32).tiny)
        unit = greatest / _KERNEL_LEVELS
        sums = np.cumsum((self.kernel / unit).reshape(-1, len(unit)), axis=0)
        integers = np.diff(np.rint(sums), axis=0, prepend=0).astype(np.int8)
        return integers.reshape(self.kernel.shape), unit


def is_part_of(network: keras.Model) -> bool:
    """Whether a network has Astra's trunk, its batch normalisation folded into the convolutions."""
    names = {layer.name for layer in network.layers}
    return names.issuperset([_FIRST_LAYER, *ROUNDED_LAYERS]) and _BATCH_NORM not in names


def activation_ranges(network: keras.Model, images: np.ndarray) -> dict[str, float]:
    """The greatest value in the maps after each of :data:`ROUNDED_LAYERS`.

    Args:
        network: with Astra's trunk (:func:`is_part_of`).
        images: network pixels, float32 (N, h, w, 3), of typical slices.
    """
    greatest = [ops.max(network.get_layer(name).output) for name in ROUNDED_LAYERS]
    look = keras.Model(network.inputs[0], greatest)
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    tops = np.max([[float(top) for top in look(batch, training=False)] for batch in batches], 0)
    tops = np.maximum(tops, _LEAST_RANGE)
    return dict(zip(ROUNDED_LAYERS, map(float, tops), strict=True))


def integer_trunk(
    network: keras.Model, ranges: Mapping[str, float], outputs: list[KerasTensor]
) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """What a network gives when its trunk runs in integers, to be called in a ``tf.function``.

    Args:
        network: with Astra's trunk (:func:`is_part_of`).
        ranges: from :func:`activation_ranges`.
        outputs: what is wanted of the network, from behind the trunk.

    Returns:
        From images, float32 (N, h, w, 3) whose pictures are whole 255ths, to the outputs.

    Raises:
        ModelError: the ranges are not those of this network.
    """
    if not is_part_of(network) or set(ranges) != set(ROUNDED_LAYERS):
        raise ModelError("The ranges of maps on the model’s card are not those of its network.")
    images = network.inputs[0]
    ends = [network.get_layer(f"{name}_relu").output for name in ENDS]
    before = keras.Model(images, network.get_layer(_FIRST_LAYER).input)
    after = keras.Model([images, *ends], outputs)
    convolve = _by_onednn if _onednn_is_exact() else _by_floats

    def convolution(name: str, stride: int = 1) -> _Convolution:
        with tf.init_scope():  # a graph that is being traced gives no values
            return _Convolution(*network.get_layer(f"{name}_conv").get_weights(), stride)

    def run(images: tf.Tensor) -> list[tf.Tensor]:
        maps = _trunk(before(images, training=False), convolution, ranges, convolve)
        return after([images, *maps], training=False)

    return run


def _trunk(
    pictures: tf.Tensor,
    convolution: Callable[..., _Convolution],
    ranges: Mapping[str, float],
    convolve: Callable[..., _Maps],
) -> list[tf.Tensor]:
    """What :func:`covidct.models.astra_resnet.astra_resnet` gives, nearly."""
    x = _Maps(tf.cast(tf.round(pictures * _LEVELS), tf.uint8), 1.0)
    x = convolve(x.padded(3), convolution("stem", 2), ranges["stem_relu"]).padded(1)
    x = x._replace(integers=tf.nn.max_pool2d(x.integers, 3, 2, "VALID"))
    ends = []
    for name, _, stride, projects in BLOCKS:
        inner = convolve(x, convolution(f"{name}_reduce"), ranges[f"{name}_reduce_relu"])
        spatial = convolution(f"{name}_spatial", stride)
        inner = convolve(inner.padded(1), spatial, ranges[f"{name}_spatial_relu"])
        expand, top = convolution(f"{name}_expand"), ranges[f"{name}_relu"]
        if projects:
            at_steps = x._replace(integers=x.integers[:, ::stride, ::stride])
            shortcut = convolution(f"{name}_shortcut")
            x = convolve(*_side_by_side((inner, expand), (at_steps, shortcut)), top)
        else:
            x = convolve(inner, expand, top, plus=x)
        if name in ENDS:
            ends.append(x.as_floats())
    return ends


def _side_by_side(*pairs: tuple[_Maps, _Convolution]) -> tuple[_Maps, _Convolution]:
    """One convolution of all maps that gives the sum of those of each."""
    maps = _Maps(tf.concat([x.integers for x, _ in pairs], axis=-1), _LEVELS)
    kernels = [x.unit * convolution.kernel for x, convolution in pairs]
    biases = [convolution.bias for _, convolution in pairs]
    return maps, _Convolution(np.concatenate(kernels, axis=2), np.sum(biases, axis=0))


def _by_onednn(x: _Maps, convolution: _Convolution, top: float, plus: _Maps | None = None) -> _Maps:
    """A convolution, the sum with other maps if any, and ReLU."""
    kernel, unit = convolution.rounded()
    given = {
        "input": tf.bitcast(x.integers, tf.quint8),
        "min_input": 0.0,
        "max_input": float(x.top),
        "filter": tf.constant(kernel.view(tf.qint8.as_numpy_dtype), tf.qint8),
        "min_filter": -_ONEDNN_KERNEL_LEVELS * unit,
        "max_filter": _ONEDNN_KERNEL_LEVELS * unit,
        "bias": convolution.bias,
        "min_freezed_output": 0.0,
        "max_freezed_output": top,
        "strides": [1, convolution.stride, convolution.stride, 1],
        "padding": "VALID",
        "out_type": tf.quint8,
    }
    if plus is None:
        found = tf.raw_ops.QuantizedConv2DWithBiasAndReluAndRequantize(**given)
    else:
        # The sum is written over the summand, and crashes where that is somebody else's too
        summand = tf.bitcast(tf.raw_ops.DeepCopy(x=plus.integers), tf.quint8)
        found = tf.raw_ops.QuantizedConv2DWithBiasSumAndReluAndRequantize(
            **given, summand=summand, min_summand=0.0, max_summand=plus.top
        )
    return _Maps(tf.bitcast(found[0], tf.uint8), top)


def _by_floats(x: _Maps, convolution: _Convolution, top: float, plus: _Maps | None = None) -> _Maps:
    """The same in 32-bit floats that hold whole numbers."""
    kernel, unit = convolution.rounded()
    integers, whole = tf.cast(x.integers, tf.float32), kernel.astype(np.float32)
    sums = tf.nn.conv2d(integers, whole, convolution.stride, "VALID")
    values = sums * (unit * np.float32(x.unit)) + convolution.bias
    if plus is not None:
        values += plus.as_floats()
    integers = tf.round(tf.clip_by_value(values / top, 0.0, 1.0) * _LEVELS)
    return _Maps(tf.cast(integers, tf.uint8), top)


@cache
def _onednn_is_exact() -> bool:
    """Whether oneDNN's integer convolution is there and loses nothing of the greatest products."""
    channels = 64
    kernel = np.ones((1, 1, channels, channels), np.float32)
    kernel[:, :, 1::2, ::2] = 0  # a greatest integer in every second input channel
    convolution = _Convolution(kernel, np.zeros(channels, np.float32))

    @tf.function(autograph=False)
    def half(greatest: tf.Tensor) -> tf.Tensor:
        return _by_onednn(_Maps(greatest, 1.0), convolution, 2.0 * channels).integers

    try:
        found = half(tf.fill((1, 1, 1, channels), np.uint8(_LEVELS))).numpy().astype(int)
    except (tf.errors.OpError, ValueError):
        return False
    wanted = kernel.sum((0, 1, 2)) / (2.0 * channels) * _LEVELS
    return bool(np.all(np.abs(found - wanted) <= 1))
