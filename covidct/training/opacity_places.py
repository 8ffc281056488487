"""A linear classifier of single places of Astra's maps: does an opacity lie there?

Learnt from hand-drawn masks of a handful of patients, it finds opacities of patients and hospitals
that it never saw, since what it stands on was learnt from many CT volumes. It becomes a layer of
the trunk (:mod:`covidct.models.astra_resnet`).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from sklearn.preprocessing import StandardScaler

from covidct.data.masks import DrawnSlice, read_drawn_slices
from covidct.imaging.anatomy.thorax_crop import crop_thorax, network_pixels
from covidct.models.astra_resnet import OPACITY_LAYER
from covidct.models.backbones import get_backbone
from covidct.models.pooling import resized
from covidct.runtime.graph import Graph
from covidct.training.probe import logistic_regression

_BACKBONE, _TRUNK = "astra_resnet", "Astra"
_INVERSE_REGULARISATION = 20.0  # where the weights of all places sum up to 1
_LUNG_WEIGHT = 7.0  # of a place in the lungs, beyond that of any other in the thorax


def solve_opacity_places(
    graph: Graph,
    folders: Sequence[Path],
    progress: Callable[[Iterable, str], Iterable] = lambda steps, _: steps,
) -> dict[str, np.ndarray]:
    """Weights of the layer :data:`.astra_resnet.OPACITY_LAYER`.

    The target of a place is the share of it that is drawn as opaque. Lungs count more than what
    else is in the thorax, and a source as the root of its slices, so that the largest does not
    drown the others.

    Args:
        graph: with Astra's trunk, of whose first maps places are taken.
        folders: as :func:`covidct.data.masks.read_drawn_slices` reads them.
        progress: wraps steps that take long, each with what is being done.

    Returns:
        Kernel float32 (1, 1, C, 1) and bias (1,), keyed "layer/index of the variable".

    Raises:
        DatasetError: a folder has another layout.
        UnreadableSlice: a file is no slice that can be read.
    """
    places, targets, weights = [], [], []
    for folder in folders:
        drawn = read_drawn_slices(folder)
        for one in progress(drawn, f"Looking at {folder.name}"):
            maps, lungs, opaque = _places(graph, one)
            places.append(maps)
            targets.append(opaque)
            weights.append((1 + _LUNG_WEIGHT * lungs) / np.sqrt(len(drawn)))
    counted = np.concatenate(weights)
    features = np.concatenate(places)
    scaler = StandardScaler().fit(features)
    kernel, bias = logistic_regression(
        scaler.transform(features),
        np.concatenate(targets),
        counted / counted.sum(),
        _INVERSE_REGULARISATION,
    )
    raw = kernel / scaler.scale_
    return {
        f"{OPACITY_LAYER}/0": raw.astype(np.float32)[None, None, :, None],
        f"{OPACITY_LAYER}/1": np.array([bias - raw @ scaler.mean_], np.float32),
    }


def _places(graph: Graph, drawn: DrawnSlice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The maps at places inside the thorax, float32 (P, C), and how much of each is lung and how
    much opaque, (P,)."""
    backbone = get_backbone(_BACKBONE)
    crop = crop_thorax(drawn.ct_slice, backbone.input_size)
    image = network_pixels(crop.pixels[None], backbone.preprocess_input)[0]
    maps = graph(_TRUNK, np.ascontiguousarray(image[None, ..., :1]))[0][0]
    grid = maps.shape[:2]
    inside = resized(image[..., 1], grid) > 0.5
    lungs, opaque = (
        resized(crop.from_slice_grid(drawn_as), grid)[inside]
        for drawn_as in (drawn.lungs, drawn.opacities)
    )
    return maps[inside], lungs, opaque
