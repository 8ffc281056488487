"""The first blocks of Astra's chest-CT ResNet-152 as one flat functional graph.

Astra's image encoder is a ResNet-152 (He et al. 2016, arXiv:1512.03385, with the stride on the
3 x 3 convolution) that was inflated to three dimensions and pretrained on chest CT volumes and
their reports. Summed over the depth axis its kernels see a single slice. Cut after the second block
of the third stage: in cross-validation on COVID-CT what follows adds nothing to a linear
classifier, and the maps here are twice as fine. The maps of the second stage, finer still, help.

On these a linear classifier of single places, learnt from drawn opacities
(:mod:`covidct.training.opacity_places`), tells how much each looks like an opacity. The largest of
its logits says whether there is anything to see, as in multiple-instance learning (Maron and
Lozano-Perez 1998). What it lacks to :data:`SEEN` lowers the verdict's logit: that something is seen
speaks for no disease, that nothing is speaks against COVID-19.
"""

from typing import NamedTuple

from keras import KerasTensor, layers, ops


class Block(NamedTuple):
    """A bottleneck block.

    Attributes:
        name: how the names of its layers begin.
        filters: of its inner maps.
        stride: of its 3 x 3 convolution.
        projects: whether its shortcut has a convolution.
    """

    name: str
    filters: int
    stride: int
    projects: bool


_STAGES = ((3, 64), (8, 128), (2, 256))  # blocks, filters
BLOCKS = tuple(
    Block(f"stage{stage}_block{number}", filters, 2 if stage > 1 and not number else 1, not number)
    for stage, (blocks, filters) in enumerate(_STAGES, start=1)
    for number in range(blocks)
)
ENDS = ("stage2_block7", "stage3_block1")  # the blocks whose maps are taken
OPACITY_LAYER = "opacity_places"
SEEN = -1.0  # a logit; chosen by leaving whole sources out, as what a lack of it costs
_COST = 4.0
_EXPANSION = 4
_BATCH_NORM_EPSILON = 1e-5


def astra_resnet(images: KerasTensor) -> list[KerasTensor]:
    """Feature maps after eleven and after thirteen bottleneck blocks, and what is missed in them.

    Args:
        images: (N, h, w, 1), grey, 0 to 1, upright axial slices, air dark.

    Returns:
        (N, ceil(h / 8), ceil(w / 8), 512) and (N, ceil(h / 16), ceil(w / 16), 1024), not negative;
        (N, ceil(h / 8), ceil(w / 8), 1), a logit, the same at all places: 0 where an opacity is
        seen, else less.
    """
    x = layers.ZeroPadding2D(3, name="stem_pad")(images)
    x = layers.Conv2D(64, 7, 2, use_bias=False, name="stem_conv")(x)
    x = _bn(x, "stem")
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # after ReLU: zero is the least
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    ends = []
    for block in BLOCKS:
        x = _bottleneck(x, *block)
        if block.name in ENDS:
            ends.append(x)
    return [*ends, _no_opacity_seen(ends[0])]


def _no_opacity_seen(maps: KerasTensor) -> KerasTensor:
    logits = layers.Conv2D(1, 1, name=OPACITY_LAYER)(maps)
    largest = layers.GlobalMaxPooling2D(keepdims=True, name="opacity_largest")(logits)
    lacking = _COST * ops.minimum(largest - SEEN, 0.0)
    return layers.UpSampling2D(logits.shape[1:3], name="no_opacity_seen")(lacking)


def _bottleneck(
    x: KerasTensor, name: str, filters: int, stride: int, projects: bool
) -> KerasTensor:
    wide = _EXPANSION * filters
    shortcut = x
    if projects:
        shortcut = layers.Conv2D(wide, 1, stride, use_bias=False, name=f"{name}_shortcut_conv")(x)
        shortcut = _bn(shortcut, f"{name}_shortcut")
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_reduce_conv")(x)
    x = layers.ReLU(name=f"{name}_reduce_relu")(_bn(x, f"{name}_reduce"))
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    x = layers.Conv2D(filters, 3, stride, use_bias=False, name=f"{name}_spatial_conv")(x)
    x = layers.ReLU(name=f"{name}_spatial_relu")(_bn(x, f"{name}_spatial"))
    x = layers.Conv2D(wide, 1, use_bias=False, name=f"{name}_expand_conv")(x)
    x = layers.Add(name=f"{name}_add")([_bn(x, f"{name}_expand"), shortcut])
    return layers.ReLU(name=f"{name}_relu")(x)


def _bn(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=f"{name}_bn")(x)
