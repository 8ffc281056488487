"""A backbone with a linear head that pools over thorax and opacities, as one flat functional graph.

Backbone -> feature maps -> averages over the thorax and over its opacities -> standardised
features -> dropout -> one logit. Each map is weighted by the two covers that the input carries
(thorax and opacities, relative to their mean) before global average
pooling, so only places inside them count, and how much of the picture they fill does not. With this
head the gradient of the logit is the same at every place of a weighted map, so Grad-CAM equals the
class activation map (Selvaraju et al. 2017, arXiv:1610.02391, section 3) and needs no backward
pass. That holds for each map at its own resolution, so the class activation map is had there. The
covers are taken as given: what the picture has to do with them is no part of the map.

Where a backbone's table entry says so, each feature map is pooled twice: its mean, and its mean
absolute deviation, which tells how uneven the map is, as texture recognition has long done
(statistics of filter responses: Portilla and Simoncelli 2000). The deviations are feature maps like
the others, so what is said above holds for them too.

A trunk may look at each slice and at its mirror image and average what it sees: lungs are much the
same in a mirror, and chance is not. The maps of the mirror image, turned back, are feature maps as
well, and all of the above holds.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from covidct.errors import ModelError
from covidct.messages import N_
from covidct.models.backbones import Backbone, Trunk, get_backbone
from covidct.models.head import STANDARDISE_EPSILON, Head, LinearHead
from covidct.models.pooling import COVER_EPSILON

POOLING_LAYER, STANDARDISE_LAYER = "pooling", "standardise"
DROPOUT_LAYER, LOGIT_LAYER = "dropout", "logit"
COMMON_GRID_LAYER = "common_grid"
# Layers of networks with other covers had other names, so that those are told and refused.
_POOLED, _BOTH_WAYS = "averaged_{}_{}", "both_ways_{}"
_PICTURE, _MAPS = "grey_{}", "maps_{}_{}"


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
        mirrored: average over the slice and its mirror image in the trunks that gain by it.

    Returns:
        Model (N, h, w, 3) float32, from
        :func:`covidct.imaging.anatomy.thorax_crop.network_pixels`, -> (N, 1) float32 logits.

    Raises:
        ConfigError: no such backbone, or its weights cannot be had.
        ModelIntegrityError: the shipped pretrained weights are damaged.
    """
    table_entry = get_backbone(backbone)
    images = keras.Input((*image_size, 3), name="images")
    pooled = [_pooled(images, table_entry, trunk, mirrored) for trunk in table_entry.trunks]
    x = layers.Concatenate(name=POOLING_LAYER)(pooled)
    x = layers.BatchNormalization(
        center=False, scale=False, epsilon=STANDARDISE_EPSILON, name=STANDARDISE_LAYER
    )(x)
    x = layers.Dropout(dropout, name=DROPOUT_LAYER)(x)
    model = keras.Model(images, layers.Dense(1, name=LOGIT_LAYER)(x), name=backbone)
    if pretrained:
        table_entry.load_pretrained(model)
    return model


def _pooled(images: KerasTensor, backbone: Backbone, trunk: Trunk, mirrored: bool) -> KerasTensor:
    """What a trunk makes of images, (N, C)."""
    shown = images
    both_ways = mirrored and trunk.gains_by_mirror
    if both_ways:
        name = _BOTH_WAYS.format(trunk.name)
        shown = layers.Concatenate(axis=0, name=name)([shown, _flip(shown)])
    picture, covers = shown[..., :1], shown[..., 1:]
    if trunk.scale != 1:
        size = [round(trunk.scale * side) for side in images.shape[1:3]]
        picture = ops.image.resize(picture, size, "bilinear", antialias=True)
    picture = layers.Identity(name=_PICTURE.format(trunk.name))(picture)
    if backbone.channel_offsets:
        picture = layers.Concatenate(name="channels")(
            [picture + offset for offset in backbone.channel_offsets]
        )
    features = [
        layers.Identity(name=_MAPS.format(trunk.name, number))(maps)
        for number, maps in enumerate(trunk.features(picture))
    ]
    weighted = _weighted_maps(features, covers, backbone.pools_deviation)
    x = layers.Concatenate(name=f"pooled_{trunk.name}")(
        [
            layers.GlobalAveragePooling2D(name=_POOLED.format(trunk.name, number))(maps)
            for number, maps in enumerate(weighted)
        ]
    )
    return layers.Average()(ops.split(x, 2)) if both_ways else x


def _flip(x: KerasTensor) -> KerasTensor:
    """Left and right changed, (N, h, w, C)."""
    return ops.flip(x, axis=2)


def _weighted_maps(
    features: Sequence[KerasTensor], covers: KerasTensor, with_deviations: bool
) -> Iterator[KerasTensor]:
    """Maps (N, h, w, C) whose plain averages are those of the maps, and of their deviations, over
    each cover."""
    for maps in features:
        weights = ops.image.resize(covers, maps.shape[1:3], "bilinear", antialias=True)
        weights = weights / (ops.mean(weights, axis=(1, 2), keepdims=True) + COVER_EPSILON)
        for weight in (weights[..., :1], weights[..., 1:]):
            yield (weighted := maps * weight)
            if with_deviations:
                mean = layers.GlobalAveragePooling2D(keepdims=True)(weighted)
                yield ops.abs(maps - mean) * weight


class PooledMaps(NamedTuple):
    """Weighted maps of a network from :func:`build_network` that are averaged into features.

    Attributes:
        maps: (N, h, w, C), or (2 N, h, w, C), the second half those of the mirror images.
        both_ways: whether there are maps of the mirror images.
    """

    maps: KerasTensor
    both_ways: bool


def pooled_maps(model: keras.Model) -> list[PooledMaps]:
    """What a network pools; all together as many channels as there are features, in their order.

    Raises:
        ModelError: the network was not made by :func:`build_network` as it is now.
    """
    _refuse_earlier(model)
    names = {layer.name for layer in model.layers}
    found = []
    for trunk in get_backbone(model.name).trunks:
        for number in itertools.count():
            if (name := _POOLED.format(trunk.name, number)) not in names:
                break
            both_ways = _BOTH_WAYS.format(trunk.name) in names
            found.append(PooledMaps(model.get_layer(name).input, both_ways))
    return found


def trunk_models(model: keras.Model) -> dict[str, keras.Model]:
    """Each trunk of a network by its name: a picture (N, h, w, 1) to its maps, sharing layers.

    Raises:
        ModelError: the network was not made by :func:`build_network` as it is now.
    """
    _refuse_earlier(model)
    names = {layer.name for layer in model.layers}
    return {
        trunk.name: keras.Model(
            model.get_layer(_PICTURE.format(trunk.name)).output,
            [
                model.get_layer(name).output
                for number in range(sum(part.maps for part in trunk.parts))
                if (name := _MAPS.format(trunk.name, number)) in names
            ],
        )
        for trunk in get_backbone(model.name).trunks
    }


def is_mirrored(model: keras.Model) -> bool:
    """Whether a network looks at mirror images as well."""
    return any(layer.name.startswith(_BOTH_WAYS.format("")) for layer in model.layers)


def _refuse_earlier(model: keras.Model) -> None:
    names = {layer.name for layer in model.layers}
    if _PICTURE.format(get_backbone(model.name).trunks[0].name) not in names:
        raise ModelError(
            N_(
                "This model was trained by an earlier version of covidct, whose networks this one "
                "does not know. The file was left as it is: train again, or use another model."
            )
        )


def on_common_grid(model: keras.Model) -> keras.Model:
    """The same function with all maps on the coarsest grid, in one layer of that name.

    For heat maps that know one layer only. Where a grid does not divide another, areas are shared
    out, so that averages stay what they are.

    Returns:
        A model that shares its trunks, in which :data:`COMMON_GRID_LAYER` is pooled.
    """
    pooled = pooled_maps(model)
    x = _CommonGrid(pooled)([one.maps for one in pooled])
    x = layers.GlobalAveragePooling2D(name=f"{POOLING_LAYER}_{COMMON_GRID_LAYER}")(x)
    head = layers.Dense(1, name=LOGIT_LAYER)
    same = keras.Model(model.inputs[0], head(x), name=model.name)
    kernel, bias = head_of(model)
    head.set_weights([kernel[:, None], np.array([bias])])
    return same


class _CommonGrid(layers.Layer):
    """Brings pooled maps to the coarsest grid among them, (N, h, w, C) of all channels.

    One layer, since the names that Keras makes up collide with those of a model from a file.
    """

    def __init__(self, pooled: Sequence[PooledMaps]) -> None:
        super().__init__(name=COMMON_GRID_LAYER)
        self._both_ways = [one.both_ways for one in pooled]
        self._grid = min(one.maps.shape[1:3] for one in pooled)

    def call(self, maps: Sequence[KerasTensor]) -> KerasTensor:
        return ops.concatenate(list(map(self._regridded, maps, self._both_ways)), axis=-1)

    def _regridded(self, x: KerasTensor, both_ways: bool) -> KerasTensor:
        if both_ways:
            straight, turned = ops.split(x, 2)
            x = (straight + _flip(turned)) / 2
        if x.shape[1:3] == self._grid:
            return x
        rows, columns = map(_shares_of_area, x.shape[1:3], self._grid)
        return ops.einsum("ah,bw,nhwc->nabc", rows, columns, x)


def _shares_of_area(places: int, fewer: int) -> np.ndarray:
    """What part of each of the fewer places each place makes up, float32 (fewer, places)."""
    edges = np.arange(places + 1) * fewer / places
    overlap = np.clip(edges[1:], *_edges(fewer)) - np.clip(edges[:-1], *_edges(fewer))
    return overlap.astype(np.float32)


def _edges(places: int) -> tuple[np.ndarray, np.ndarray]:
    starts = np.arange(places, dtype=float)[:, None]
    return starts, starts + 1


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Give a network the weights of one that differs in layers without weights alone."""
    for layer in target.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def put_head(model: keras.Model, head: Head) -> None:
    """Make a head that was solved on a network's pooled features the network's own."""
    model.get_layer(STANDARDISE_LAYER).set_weights([head.mean, head.variance])
    model.get_layer(LOGIT_LAYER).set_weights([head.kernel[:, None], np.array([head.bias])])


def head_of(model: keras.Model) -> LinearHead:
    """The head of a network, for its pooled features as they are."""
    mean, variance = model.get_layer(STANDARDISE_LAYER).get_weights()
    kernel, bias = model.get_layer(LOGIT_LAYER).get_weights()
    return Head(mean, variance, kernel[:, 0], float(bias[0])).of_raw_features()


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
