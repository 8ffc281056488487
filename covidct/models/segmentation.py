"""The network that finds lungs and opacities on a slice, a small U-net.

U-net: Ronneberger et al. 2015, arXiv:1505.04597; here with a stride in place of pooling, batch
normalisation, and bilinear upsampling. It sees the whole figure at 256 pixels and answers at 128,
which is finer than two readers agree on an opacity's border.
"""

import keras
from keras import KerasTensor, layers

from covidct.imaging.anatomy.segmentation import SIDE

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


def _convolution(x: KerasTensor, channels: int, stride: int = 1) -> KerasTensor:
    x = layers.Conv2D(channels, 3, stride, "same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=_STATISTICS_MOMENTUM)(x)
    return layers.ReLU()(x)
