"""Label flips of slices that the judging head had not seen."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from covidct.data.prepared import PreparedSlices
from covidct.evaluation.audit.robustness import TRIED_OUT_OF_FOLD, label_flips
from covidct.evaluation.recipes.folds import BothWays
from covidct.evaluation.recipes.looks import Looker, changed_both_ways
from covidct.inference.calibration import Calibration
from covidct.models.pooling import TrunkMaps
from covidct.training.config import TrainConfig


def label_flips_out_of_fold(
    trunks: TrunkMaps,
    slices: PreparedSlices,
    config: TrainConfig,
    recipes: Mapping[str, tuple[Calibration, np.ndarray, Callable[[BothWays], np.ndarray]]],
    by: Looker,
    progress: Callable,
) -> dict[str, list[dict[str, Any]]]:
    """Out-of-fold label flips under label-preserving changes.

    Args:
        trunks: of the network.
        slices: of the first source.
        config: as for :func:`covidct.evaluation.recipes.search.cross_validate`.
        recipes: by their names, how each reads its logits, its logits of the slices as they are,
            and what gives those of changed slices.
        by: looks at the changed slices.
        progress: as for :func:`covidct.evaluation.recipes.search.cross_validate`.

    Returns:
        Rows of :func:`covidct.evaluation.audit.robustness.label_flips` by the recipe's name.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in recipes}
    for change in progress(TRIED_OUT_OF_FOLD, "Looking at changed slices"):
        look = partial(changed_both_ways, config=config, to_file=change.to_file)
        found = by(look, trunks, slices)
        refused = np.isnan(found).any(axis=(0, 2))
        found[:, refused] = 0  # what comes of these is not looked at
        shown = BothWays(*found)
        for name, (calibration, logits, logits_of) in recipes.items():
            before, after = map(calibration.probability, (logits, logits_of(shown)))
            told = [
                None if gone else probability
                for gone, probability in zip(refused, after.tolist(), strict=True)
            ]
            rows[name].append(label_flips(change, calibration, before, told, slices.patients))
    return rows
