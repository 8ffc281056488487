"""Looks: what a network that stays as it is pools of slices, in all ways that recipes need.

They take nearly all the time of a cross-validation. What comes of a slice depends on that slice and
its position alone, so parts of the slices can be looked at anywhere.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np

from covidct.data.prepared import PreparedSlices, read_anew
from covidct.models.backbones import get_preprocess_input
from covidct.models.pooling import TrunkMaps
from covidct.training.config import TrainConfig
from covidct.training.probe import pooled_features, pooled_views

_AT_A_TIME = 64  # slices: several passes for each core, and little memory for their pictures

# Of trunks, slices and the position of the first of them among all: pooled features in K ways,
# float32 (K, N, C). A function of a module, or a partial of one, so that it can be sent.
Look = Callable[[TrunkMaps, PreparedSlices, int], np.ndarray]


class Looker(Protocol):
    """Has slices looked at; whoever does it, the features are the same to the bit."""

    def __call__(
        self,
        look: Look,
        trunks: TrunkMaps,
        slices: PreparedSlices,
        progress: Callable[[Iterable], Iterable] = iter,
    ) -> np.ndarray:
        """What the look gives of all slices, float32 (K, N, C)."""
        ...


def look_here(
    look: Look,
    trunks: TrunkMaps,
    slices: PreparedSlices,
    progress: Callable[[Iterable], Iterable] = iter,
) -> np.ndarray:
    """A :class:`Looker`: this process, part by part."""
    parts = progress(slices.parts(_AT_A_TIME))
    return np.concatenate([look(trunks, part, first) for first, part in parts], axis=1)


def views_and_mirror(
    trunks: TrunkMaps, slices: PreparedSlices, first: int, *, config: TrainConfig
) -> np.ndarray:
    """A look: :attr:`.PooledViews.views`, its ``without_lungs``, then the mirror images."""
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    pooled = pooled_views(
        trunks,
        slices,
        preprocess_input,
        config.augmentation,
        views=config.probe_views,
        seed=config.seed,
        first=first,
    )
    mirror = pooled_features(trunks, _mirrored(slices), preprocess_input)
    return np.stack([*pooled.views, pooled.without_lungs, mirror])


def changed_both_ways(
    trunks: TrunkMaps,
    slices: PreparedSlices,
    _: int,
    *,
    config: TrainConfig,
    to_file: Callable[[np.ndarray], bytes],
) -> np.ndarray:
    """A look: the slices out of other files, and their mirror images; NaN where one is refused."""
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    changed = read_anew(slices, to_file)
    found = np.stack(
        [pooled_features(trunks, some, preprocess_input) for some in (changed, _mirrored(changed))]
    )
    refused = {skip.path for skip in changed.skipped}
    found[:, [item.path in refused for item in slices.items]] = np.nan
    return found


def _mirrored(slices: PreparedSlices) -> PreparedSlices:
    return replace(slices, pixels=slices.pixels[:, :, ::-1])
