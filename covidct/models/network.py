"""A backbone with a linear head that pools over thorax and lungs, as one flat functional graph.

Backbone -> feature maps -> averages over the thorax and over the lungs -> standardised features ->
dropout -> one logit. Each map is weighted by the two covers that the input carries (thorax and
lungs, relative to their mean) before global average pooling, so only places inside them count, and
how much of the picture they fill does not. With this head the gradient of the logit is the same at
every place of a weighted map, so Grad-CAM equals the class activation map (Selvaraju et al. 2017,
arXiv:1610.02391, section 3) and needs no backward pass. That holds for each map at the resolution
that it has before it is brought to the common grid, so the class activation map is had there.

Where a backbone's table entry says so, each feature map is pooled twice: its mean, and its mean
absolute deviation, which tells how uneven the map is, as texture recognition has long done
(statistics of filter responses: Portilla and Simoncelli 2000). The deviations are feature maps like
the others, so what is said above holds for them too.

A network may look at each slice and at its mirror image and average what it sees: lungs are much
the same in a mirror, and chance is not. The maps of the mirror image are turned back first, so the
average is again a stack of feature maps, and all of the above holds.
"""

import itertools
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from covidct.models.backbones import get_backbone

COVERS, STATISTICS = ("thorax", "lungs"), ("mean", "deviation")
WEIGHTED_LAYER = "weighted_maps"
BOTH_WAYS_LAYER = "both_ways"
POOLING_LAYER, STANDARDISE_LAYER = "pooling", "standardise"
DROPOUT_LAYER, LOGIT_LAYER = "dropout", "logit"
_STANDARDISE_EPSILON, _COVER_EPSILON = 1e-8, 1e-6


def build_network(
    backbone: str,
    image_size: tuple[int, int],
    *,
    dropout: float = 0.0,
    pretrained: bool = True,
    mirrored: bool = False,
) -> keras.Model:
    """A network that gives one logit a slice, positive for COVID-19.

    Args:
        backbone: a name in :data:`covidct.models.backbones.BACKBONES`.
        image_size: rows and columns of the input.
        dropout: share of pooled features dropped while training.
        pretrained: start from the backbone's pretrained weights rather than random ones.
        mirrored: average over the slice and its mirror image; takes twice as long.

    Returns:
        Model (N, h, w, 3) float32, from :func:`covidct.imaging.preprocess.network_pixels`, ->
        (N, 1) float32 logits.

    Raises:
        ConfigError: no such backbone, or its weights cannot be had.
        ModelIntegrityError: the shipped pretrained weights are damaged.
    """
    table_entry = get_backbone(backbone)
    images = keras.Input((*image_size, 3), name="images")
    shown = (
        layers.Concatenate(axis=0, name="mirror")([images, _flip(images)]) if mirrored else images
    )
    picture, covers = shown[..., :1], shown[..., 1:]
    channels = layers.Concatenate(name="channels")(
        [picture + offset for offset in table_entry.channel_offsets]
    )
    x = _weighted_maps(table_entry.features(channels), covers, table_entry.pools_deviation)
    if mirrored:
        straight, turned = ops.split(x, 2)
        x = layers.Average(name=BOTH_WAYS_LAYER)([straight, _flip(turned)])
    x = layers.GlobalAveragePooling2D(name=POOLING_LAYER)(x)
    x = layers.BatchNormalization(
        center=False, scale=False, epsilon=_STANDARDISE_EPSILON, name=STANDARDISE_LAYER
    )(x)
    x = layers.Dropout(dropout, name=DROPOUT_LAYER)(x)
    model = keras.Model(images, layers.Dense(1, name=LOGIT_LAYER)(x), name=backbone)
    if pretrained:
        table_entry.load_pretrained(model)
    return model


def _flip(x: KerasTensor) -> KerasTensor:
    """Left and right changed, (N, h, w, C)."""
    return ops.flip(x, axis=2)


def _weighted_maps(
    features: Sequence[KerasTensor], covers: KerasTensor, with_deviations: bool
) -> KerasTensor:
    """Maps of several resolutions -> (N, h, w, C) on the coarsest grid, whose plain averages are
    the averages of the maps, and of their deviations, over each cover."""
    rows = min(maps.shape[1] for maps in features)
    weighted = []
    for maps in features:
        weights = ops.image.resize(covers, maps.shape[1:3], "bilinear", antialias=True)
        weights = weights / (ops.mean(weights, axis=(1, 2), keepdims=True) + _COVER_EPSILON)
        for weight in (weights[..., :1], weights[..., 1:]):
            chosen = [maps * weight]
            if with_deviations:
                mean = layers.GlobalAveragePooling2D(keepdims=True)(chosen[0])
                chosen.append(ops.abs(maps - mean) * weight)
            stride = -(-maps.shape[1] // rows)
            if stride > 1:
                chosen = [layers.AveragePooling2D(stride, padding="same")(x) for x in chosen]
            weighted += chosen
    return layers.Concatenate(name=WEIGHTED_LAYER)(weighted)


def feature_origins(model: keras.Model) -> list[dict[str, str]]:
    """Where each pooled feature of :func:`build_network`'s model comes from, in their order.

    Returns:
        Of each, "trunk", "stage" (counted from 1, "last" for a trunk's last maps), "cover" and
        "statistic".
    """
    table_entry = get_backbone(model.name)
    statistics = STATISTICS if table_entry.pools_deviation else STATISTICS[:1]
    stages = [
        (trunk.name, str(number) if number < trunk.maps else "last")
        for trunk in table_entry.trunks
        for number in range(1, trunk.maps + 1)
    ]
    origins = itertools.product(stages, COVERS, statistics)
    return [
        {"trunk": trunk, "stage": stage, "cover": cover, "statistic": statistic}
        for ((trunk, stage), cover, statistic), tensor in zip(
            origins, model.get_layer(WEIGHTED_LAYER).input, strict=True
        )
        for _ in range(tensor.shape[-1])
    ]


def unpooled_maps(model: keras.Model) -> list[KerasTensor]:
    """The weighted maps, each (N, h, w, C) at the resolution at which its backbone made it.

    Of a mirrored network (2 N, h, w, C), the second half those of the mirror images. Together they
    have as many channels as there are pooled features, in the same order.
    """
    return [
        _before_pooling(maps) for maps in keras.tree.flatten(model.get_layer(WEIGHTED_LAYER).input)
    ]


def _before_pooling(maps: KerasTensor) -> KerasTensor:
    made_by, *_ = maps._keras_history
    return made_by.input if isinstance(made_by, layers.AveragePooling2D) else maps


def activation_and_logit(
    model: keras.Model,
) -> Callable[[KerasTensor], tuple[KerasTensor, KerasTensor]]:
    """What gives a network's class activation map (N, h, w) and logits (N, 1) in one forward pass.

    The map is each place's share in the logit, on the grid of the finest maps: coarser ones are
    interpolated. The shares add up to the logit without its bias; nearly so where a grid has an odd
    side, at whose edge pooling takes fewer places together.
    """
    maps = unpooled_maps(model)
    traced = keras.Model(model.inputs[0], [*maps, model.get_layer(LOGIT_LAYER).output])
    ends = np.cumsum([one.shape[-1] for one in maps])
    kernels = np.split(head_kernel(model)[:, None], ends[:-1])
    grid = max(one.shape[1:3] for one in maps)
    is_mirrored = BOTH_WAYS_LAYER in {layer.name for layer in model.layers}

    def look(images: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        *seen, logits = traced(images, training=False)
        shares = sum(
            ops.image.resize(ops.tensordot(one, kernel, 1), grid, "bilinear")
            for one, kernel in zip(seen, kernels, strict=True)
        )
        if is_mirrored:
            straight, turned = ops.split(shares, 2)
            shares = (straight + _flip(turned)) / 2
        return shares[..., 0] / (grid[0] * grid[1]), logits

    return look


def standardise_features(model: keras.Model, mean: np.ndarray, variance: np.ndarray) -> None:
    """Set what is subtracted from the pooled features (C,) and the variance they are scaled by."""
    model.get_layer(STANDARDISE_LAYER).set_weights([mean, variance])


def head_kernel(model: keras.Model) -> np.ndarray:
    """How much each pooled feature counts in the logit, float32 (C,)."""
    _, variance = model.get_layer(STANDARDISE_LAYER).get_weights()
    kernel, _ = model.get_layer(LOGIT_LAYER).get_weights()
    return kernel[:, 0] / np.sqrt(variance + _STANDARDISE_EPSILON)


def freeze_for_finetuning(model: keras.Model, trainable_share: float) -> None:
    """Train only the last layers, and never the statistics of batch normalisation.

    Batches of a small data set give worse statistics than ImageNet did; a frozen Keras
    BatchNormalization layer also runs in inference mode while training.

    Args:
        model: a network from :func:`build_network`, changed in place.
        trainable_share: share of the backbone's weight layers, counted from the head, that train;
            0 trains the head alone and 1 everything.
    """
    weighted = [layer for layer in model.layers if layer.weights and layer.name != LOGIT_LAYER]
    first_trainable = round(len(weighted) * (1 - trainable_share))
    for position, layer in enumerate(weighted):
        is_batch_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = position >= first_trainable and not is_batch_norm
