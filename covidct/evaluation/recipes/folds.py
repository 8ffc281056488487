"""Heads on folds of patients: solved on all folds but one, asked about that one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from covidct.data.index import Item
from covidct.data.prepared import PreparedSlices
from covidct.data.splits import folds_by_patient
from covidct.evaluation.recipes.recipe import Solving, Term
from covidct.models.backbones import get_preprocess_input
from covidct.models.head import Head
from covidct.models.pooling import TrunkMaps
from covidct.training.config import TrainConfig
from covidct.training.probe import PooledViews, pooled_features, pooled_views, solve

FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A source of slices and what the network makes of them.

    Attributes:
        slices: as prepared.
        pooled: their views.
        both_ways: of the slices and of their mirror images.
    """

    slices: PreparedSlices
    pooled: PooledViews
    both_ways: "BothWays"


class BothWays(NamedTuple):
    """What the network pools of slices, and of their mirror images, float32 (N, C) each."""

    plain: np.ndarray
    mirrored: np.ndarray


def show(
    trunks: TrunkMaps, slices: PreparedSlices, config: TrainConfig, progress: Callable
) -> Shown:
    """What a network makes of slices in all ways that recipes need."""
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    pooled = pooled_views(
        trunks,
        slices,
        preprocess_input,
        config.augmentation,
        lambda steps: progress(steps, "Looking at slices"),
        views=config.probe_views,
        seed=config.seed,
    )
    mirror = pooled_features(trunks, mirrored_slices(slices), preprocess_input)
    return Shown(slices, pooled, BothWays(pooled.views[0], mirror))


def mirrored_slices(slices: PreparedSlices) -> PreparedSlices:
    """Their mirror images."""
    return replace(slices, pixels=slices.pixels[:, :, ::-1])


def folds_of(items: Sequence[Item], seed: int) -> np.ndarray:
    """The fold in which each slice is held out, int (N,)."""
    position = {item.path: i for i, item in enumerate(items)}
    folds = np.empty(len(items), int)
    for fold, (_, held_out) in enumerate(folds_by_patient(tuple(items), FOLDS, seed)):
        folds[[position[item.path] for item in held_out]] = fold
    return folds


def solver(sources: Sequence[Shown]) -> Callable[[Solving, tuple[int, ...]], Head]:
    """Solves heads on some of the first source's slices and all of the second's, each only once."""

    @cache
    def solved(how: Solving, training: tuple[int, ...]) -> Head:
        chosen = [training, *(range(len(other.pooled.labels)) for other in sources[1:])]
        weights = (1.0, how.second_weight)
        shown = [
            (other.pooled.of(np.array(some), np.array(how.features), slice(how.views)), weight)
            for other, some, weight in zip(sources, chosen, weights, strict=False)
            if weight
        ]
        return solve(
            shown,
            balanced=True,
            inverse_regularisation=how.inverse_regularisation,
            blank_weight=how.blank_weight,
            label_smoothing=how.label_smoothing,
        )

    return solved


def head_of_terms(terms: Sequence[Term], training: Iterable[int], solved: Callable) -> Head:
    """The head of the pooled features that are taken, in the order of the parts."""
    training = tuple(training)
    return Head.sum_of(
        [solved(term.solving, training) for term in terms], [term.weight for term in terms]
    )


def out_of_fold_logits(
    terms: Sequence[Term], shown: BothWays, folds: np.ndarray, solved: Callable
) -> np.ndarray:
    """The logit of each of the first source's slices by a head that saw none of its patient."""
    taken = np.concatenate([term.solving.features for term in terms])
    mirrored = np.repeat(
        [term.mirrored for term in terms], [len(term.solving.features) for term in terms]
    )
    logits = np.empty(len(folds))
    for fold in range(FOLDS):
        held_out = folds == fold
        head = head_of_terms(terms, np.flatnonzero(~held_out), solved)
        one_way = shown.plain[held_out][:, taken]
        other_way = np.where(mirrored, shown.mirrored[held_out][:, taken], one_way)
        logits[held_out] = (head.logits(one_way) + head.logits(other_way)) / 2
    return logits
