"""Batch normalisation folded into the convolutions before it: the same function in less time.

While a network is only asked, batch normalisation is a scale and a shift of each channel, which the
kernel and the bias of a convolution can carry (Jacob et al. 2018, arXiv:1712.05877, section 3.2).
"""

import keras
import numpy as np
from keras import layers


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """A copy of a functional model without the batch normalisation that follows a convolution.

    Args:
        model: is not changed.

    Returns:
        A model of the same inputs and, but for rounding, the same outputs in inference; layers
        keep their names. Batch normalisation of anything else stays.
    """
    convolutions = {
        id(layer.output): layer.name
        for layer in model.layers
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D)
    }
    norms = {
        convolutions[id(layer.input)]: layer
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization) and id(layer.input) in convolutions
    }
    folded = {norm.name for norm in norms.values()}

    def clone(layer: keras.Layer) -> keras.Layer:
        if layer.name in folded:
            return layers.Identity(name=layer.name)
        with_bias = {"use_bias": True} if layer.name in norms else {}
        return type(layer).from_config(layer.get_config() | with_bias)

    def call(layer: keras.Layer, *args: object, **kwargs: object) -> object:
        return args[0] if layer.name in folded else layer(*args, **kwargs)

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in copy.layers:
        original = model.get_layer(layer.name)
        norm = norms.get(layer.name)
        layer.set_weights(_with_norm(original, norm) if norm else original.get_weights())
    return copy


def round_to_half_precision(network: keras.Model) -> None:
    """Inference needs no more, and the file shrinks to half its size."""
    for layer in network.layers:
        layer.set_weights([w.astype(np.float16).astype(np.float32) for w in layer.get_weights()])


def _with_norm(convolution: keras.Layer, norm: layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias that do what the convolution and the normalisation after it did."""
    kernel, *bias = convolution.get_weights()
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    per_channel = scale.reshape(kernel.shape[2:] if _is_depthwise(convolution) else -1)
    return [kernel * per_channel, beta + (sum(bias) - mean) * scale]


def _is_depthwise(convolution: keras.Layer) -> bool:
    return isinstance(convolution, layers.DepthwiseConv2D)
