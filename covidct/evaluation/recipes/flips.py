"""Label flips of slices that the judging head had not seen."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from covidct.data.prepared import PreparedSlices, read_anew
from covidct.evaluation.audit.robustness import TRIED_OUT_OF_FOLD, label_flips
from covidct.evaluation.recipes.folds import BothWays, mirrored_slices
from covidct.inference.calibration import Calibration
from covidct.models.backbones import get_preprocess_input
from covidct.models.pooling import TrunkMaps
from covidct.training.config import TrainConfig
from covidct.training.probe import pooled_features


def label_flips_out_of_fold(
    trunks: TrunkMaps,
    slices: PreparedSlices,
    config: TrainConfig,
    recipes: Mapping[str, tuple[Calibration, np.ndarray, Callable[[BothWays], np.ndarray]]],
    progress: Callable,
) -> dict[str, list[dict[str, Any]]]:
    """Out-of-fold label flips under label-preserving changes.

    Args:
        trunks: of the network.
        slices: of the first source.
        config: as for :func:`covidct.evaluation.recipes.search.cross_validate`.
        recipes: by their names, how each reads its logits, its logits of the slices as they are,
            and what gives those of changed slices.
        progress: as for :func:`covidct.evaluation.recipes.search.cross_validate`.

    Returns:
        Rows of :func:`covidct.evaluation.audit.robustness.label_flips` by the recipe's name.
    """
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in recipes}
    for change in progress(TRIED_OUT_OF_FOLD, "Looking at changed slices"):
        changed = read_anew(slices, change.to_file)
        shown = BothWays(
            *(
                pooled_features(trunks, some, preprocess_input)
                for some in (changed, mirrored_slices(changed))
            )
        )
        refused = {skip.path for skip in changed.skipped}
        for name, (calibration, logits, logits_of) in recipes.items():
            before, after = map(calibration.probability, (logits, logits_of(shown)))
            told = [
                None if item.path in refused else probability
                for item, probability in zip(slices.items, after.tolist(), strict=True)
            ]
            rows[name].append(label_flips(change, calibration, before, told, slices.patients))
    return rows
