"""EfficientNet-Lite 0 to 2 as one flat functional graph.

The Lite variants (Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow
blog) drop the squeeze-and-excitation blocks of EfficientNet (Tan and Le 2019, arXiv:1905.11946),
use ReLU6, and leave stem, head, first and last stage unscaled. keras.applications has no Lite.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from keras import KerasTensor, layers

_HEAD_FILTERS = 1280
_STEM_FILTERS = 32
_BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class _Stage:
    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def efficientnet_lite(images: KerasTensor, width: float, depth: float) -> KerasTensor:
    """Feature maps of EfficientNet-Lite.

    Args:
        images: (N, h, w, channels), scaled to (x - 127) / 128.
        width: factor on the number of filters.
        depth: factor on the number of blocks of a stage.

    Returns:
        (N, ceil(h / 32), ceil(w / 32), 1280), between 0 and 6.
    """
    x = _conv_bn(images, "stem", _STEM_FILTERS, kernel=3, stride=2)
    for name, stage, stride, filters in _blocks(width, depth):
        x = _inverted_residual(x, _expand(x, name, stage), name, stage, stride, filters)
    return _conv_bn(x, "head", _HEAD_FILTERS, kernel=1)


def early_expansions(
    images: KerasTensor, width: float, depth: float, prefix: str
) -> list[KerasTensor]:
    """The widest feature maps of EfficientNet-Lite at an eighth and a sixteenth of the picture.

    Those are the expansions in the blocks that halve the resolution next; what would follow is not
    built.

    Args:
        images: (N, h, w, channels), scaled to (x - 127) / 128.
        width: factor on the number of filters.
        depth: factor on the number of blocks of a stage.
        prefix: of the layers' names.
    """
    x = _conv_bn(images, f"{prefix}stem", _STEM_FILTERS, kernel=3, stride=2)
    expansions = []
    for name, stage, stride, filters in _blocks(width, depth):
        expanded = _expand(x, prefix + name, stage)
        if stride == 2:
            expansions.append(expanded)
        if len(expansions) == 4:
            break
        x = _inverted_residual(x, expanded, prefix + name, stage, stride, filters)
    return expansions[2:]


def _blocks(width: float, depth: float) -> Iterator[tuple[str, _Stage, int, int]]:
    """Name, stage, stride and filters of each block."""
    number = itertools.count()
    for stage in _STAGES:
        scaled = stage not in (_STAGES[0], _STAGES[-1])
        for repeat in range(math.ceil(stage.repeats * depth) if scaled else stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            yield f"block{next(number)}", stage, stride, _round_filters(stage.filters * width)


def _round_filters(filters: float, divisor: int = 8) -> int:
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * filters else rounded


def _expand(x: KerasTensor, name: str, stage: _Stage) -> KerasTensor:
    if stage.expansion == 1:
        return x
    return _conv_bn(x, f"{name}_expand", x.shape[-1] * stage.expansion, kernel=1)


def _inverted_residual(
    shortcut: KerasTensor,
    expanded: KerasTensor,
    name: str,
    stage: _Stage,
    stride: int,
    filters: int,
) -> KerasTensor:
    x = layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(expanded)
    x = _bn_relu6(x, f"{name}_depthwise")
    x = _conv_bn(x, f"{name}_project", filters, kernel=1, activation=False)
    if stride == 1 and shortcut.shape[-1] == filters:
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def _conv_bn(
    x: KerasTensor,
    name: str,
    filters: int,
    *,
    kernel: int,
    stride: int = 1,
    activation: bool = True,
) -> KerasTensor:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(
        x
    )
    return _bn_relu6(x, name, activation)


def _bn_relu6(x: KerasTensor, name: str, activation: bool = True) -> KerasTensor:
    x = layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x) if activation else x
