"""The network that finds lungs and opacities on a slice, a small U-net.

U-net: Ronneberger et al. 2015, arXiv:1505.04597; here with a stride in place of pooling, batch
normalisation, and bilinear upsampling. It sees the whole figure at 256 pixels and answers at 128,
which is finer than two readers agree on an opacity's border.
"""

from collections.abc import Iterator

import keras
import numpy as np
from keras import KerasTensor, layers
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools.flatbuffer_utils import read_model_from_bytearray

from covidct.imaging.anatomy.segmentation import SIDE
from covidct.models.folding import fold_batch_norm

GRID = SIDE // 2
CHANNELS = ("lungs", "opacities")
_WIDTH = 16
_STATISTICS_MOMENTUM = 0.97  # batches are small and differ much; epochs are short


def segmentation_network() -> keras.Model:
    """A network with random weights.

    Returns:
        Model (N, 256, 256, 1) float32, grey levels 0 to 255, -> (N, 128, 128, 2) float32, the
        logits of :data:`CHANNELS`.
    """
    picture = keras.Input((SIDE, SIDE, 1), name="picture")
    x = layers.Rescaling(1 / 127.5, -1)(picture)
    kept = []
    for level in (1, 2, 4, 6):
        x = _convolution(_convolution(x, level * _WIDTH, stride=2), level * _WIDTH)
        kept.append(x)
    x = _convolution(x, 8 * _WIDTH, stride=2)
    x = _convolution(_convolution(x, 8 * _WIDTH), 8 * _WIDTH)
    for finer in reversed(kept):
        channels = finer.shape[-1]
        x = layers.Conv2D(channels, 1, use_bias=False)(x)
        x = layers.UpSampling2D(interpolation="bilinear")(x)
        x = _convolution(layers.Concatenate()([x, finer]), channels)
    return keras.Model(picture, layers.Conv2D(len(CHANNELS), 1)(x), name="segmentation")


def network_of(graph: bytes) -> keras.Model:
    """The network of a graph in integers, to go on training it in floats.

    Args:
        graph: a segmentation network as a ``.tflite`` file, as
            :func:`covidct.training.keep_segmentation.keep_segmentation` writes one.

    Returns:
        The same function but for the rounding of maps, batch normalisation folded into the
        convolutions.

    Raises:
        ValueError: it is a graph of another network.
    """
    network = fold_batch_norm(segmentation_network())
    convolutions = [layer for layer in network.layers if isinstance(layer, layers.Conv2D)]
    for layer, (kernel, bias) in zip(convolutions, _weights(graph), strict=True):
        layer.set_weights([kernel, bias] if layer.use_bias else [kernel])
    return network


def _weights(graph: bytes) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Kernel (h, w, in, out) and bias (out,) of each convolution, in the order of running."""
    model = read_model_from_bytearray(bytearray(graph))
    (subgraph,) = model.subgraphs

    def values(number: int) -> np.ndarray:
        tensor = subgraph.tensors[number]
        kind = np.int8 if tensor.type == schema.TensorType.INT8 else np.int32
        integers = np.frombuffer(bytes(model.buffers[tensor.buffer].data), kind)
        scale = tensor.quantization.scale.reshape(-1, *[1] * (len(tensor.shape) - 1))
        return (integers.reshape(tensor.shape) * scale).astype(np.float32)

    for operator in subgraph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code == schema.BuiltinOperator.CONV_2D:
            _, kernel, bias = operator.inputs
            yield values(kernel).transpose(1, 2, 3, 0), values(bias)


def _convolution(x: KerasTensor, channels: int, stride: int = 1) -> KerasTensor:
    x = layers.Conv2D(channels, 3, stride, "same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=_STATISTICS_MOMENTUM)(x)
    return layers.ReLU()(x)
