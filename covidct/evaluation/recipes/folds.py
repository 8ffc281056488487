"""Heads on folds of patients: solved on all folds but one, asked about that one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from covidct.data.index import Item
from covidct.data.prepared import PreparedSlices
from covidct.data.splits import folds_by_patient
from covidct.evaluation.recipes.looks import Looker, views_and_mirror
from covidct.evaluation.recipes.recipe import Solving, Term
from covidct.models.head import Head
from covidct.models.pooling import TrunkMaps
from covidct.training.config import TrainConfig
from covidct.training.probe import PooledViews, solve

FOLDS = 5

Known = tuple[tuple[int, ...], ...]  # the positions of slices that are trained on, by source


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A source of slices and what the network makes of them.

    Attributes:
        slices: as prepared.
        pooled: their views.
        both_ways: of the slices and of their mirror images.
        weight: as :attr:`covidct.data.sources.Source.weight`.
    """

    slices: PreparedSlices
    pooled: PooledViews
    both_ways: "BothWays"
    weight: float = 1.0


class BothWays(NamedTuple):
    """What the network pools of slices, and of their mirror images, float32 (N, C) each."""

    plain: np.ndarray
    mirrored: np.ndarray

    def of(self, slices: np.ndarray) -> "BothWays":
        """Some of the slices."""
        return BothWays(self.plain[slices], self.mirrored[slices])


def show(
    trunks: TrunkMaps,
    slices: PreparedSlices,
    weight: float,
    config: TrainConfig,
    by: Looker,
    progress: Callable,
) -> Shown:
    """What a network makes of slices in all ways that recipes need."""
    found = by(
        partial(views_and_mirror, config=config),
        trunks,
        slices,
        lambda steps: progress(steps, "Looking at slices"),
    )
    views, blank, mirror = found[:-2], found[-2], found[-1]
    return Shown(
        slices, PooledViews(views, blank, slices.labels), BothWays(views[0], mirror), weight
    )


def folds_of(items: Sequence[Item], seed: int) -> np.ndarray:
    """The fold in which each slice is held out, int (N,)."""
    position = {item.path: i for i, item in enumerate(items)}
    folds = np.empty(len(items), int)
    for fold, (_, held_out) in enumerate(folds_by_patient(tuple(items), FOLDS, seed)):
        folds[[position[item.path] for item in held_out]] = fold
    return folds


def solver(sources: Sequence[Shown]) -> Callable[[Solving, Known], Head]:
    """Solves heads on some slices of some sources, each only once."""

    @cache
    def solved_on(how: Solving, known: Known) -> Head:
        return solve(
            [
                (
                    source.pooled.of(np.array(some), np.array(how.features), slice(how.views)),
                    source.weight * len(known[0]) / len(some),
                )
                for source, some in zip(sources, known, strict=True)
                if some
            ],
            balanced=True,
            inverse_regularisation=how.inverse_regularisation,
        )

    def solved(how: Solving, known: Known) -> Head:
        one_head = how._replace(others_share=0.0)  # so that it is solved once for all shares
        alone = (known[0], *((),) * (len(sources) - 1))
        shares = (alone, 1 - how.others_share), (known, how.others_share)
        heads = [(solved_on(one_head, some), share) for some, share in shares if share]
        return Head.blend_of(*zip(*heads, strict=True))

    return solved


def all_of(sources: Sequence[Shown], without: int | None = None) -> Known:
    """All slices of all sources, or of all but one by its position."""
    return tuple(
        () if number == without else tuple(range(len(source.pooled.labels)))
        for number, source in enumerate(sources)
    )


def head_of_terms(terms: Sequence[Term], known: Known, solved: Callable) -> Head:
    """The head of the pooled features that are taken, in the order of the parts."""
    return Head.sum_of(
        [solved(term.solving, known) for term in terms], [term.weight for term in terms]
    )


def logits_of(head: Head, terms: Sequence[Term], shown: BothWays) -> np.ndarray:
    """What a head of these terms says of slices, float (N,)."""
    taken = np.concatenate([term.solving.features for term in terms])
    mirrored = np.repeat(
        [term.mirrored for term in terms], [len(term.solving.features) for term in terms]
    )
    one_way = shown.plain[:, taken]
    other_way = np.where(mirrored, shown.mirrored[:, taken], one_way)
    return (head.logits(one_way) + head.logits(other_way)) / 2


def out_of_fold_logits(
    terms: Sequence[Term], shown: BothWays, folds: np.ndarray, everything: Known, solved: Callable
) -> np.ndarray:
    """The logit of each of the first source's slices by a head that saw none of its patient."""
    logits = np.empty(len(folds))
    for fold in range(FOLDS):
        held_out = folds == fold
        known = (tuple(np.flatnonzero(~held_out).tolist()), *everything[1:])
        head = head_of_terms(terms, known, solved)
        logits[held_out] = logits_of(head, terms, shown.of(held_out))
    return logits
