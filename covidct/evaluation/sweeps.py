"""The values of a sweep beside each other: out-of-fold verdicts, with intervals over patients."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from covidct.errors import DatasetError
from covidct.evaluation.compare import difference_in_auc
from covidct.evaluation.metrics import Verdicts, summarise
from covidct.evaluation.results import Reviewed, read_review
from covidct.training.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Compared:
    """One value of a sweep on the folds that all its values have been judged on.

    Attributes:
        value: of the setting.
        done: how many folds of this value have been judged.
        figures: as :func:`covidct.evaluation.metrics.summarise` gives them; None before there is a
            fold that all values have been judged on, as is
        difference: in AUC to the first value, by a paired bootstrap over patients; None for that.
        difference_ci95: low and high.
    """

    value: Any
    done: int
    figures: dict[str, Any] | None
    difference: float | None = None
    difference_ci95: tuple[float, float] | None = None


def compare_values(sweep: Sweep) -> tuple[Compared, ...]:
    """The values of a sweep, each by the verdicts of models that saw none of the slice's patient.

    Verdicts of all folds are pooled, each model by its own calibration. Only slices that every
    value has been judged on count, so that all figures are of the same slices.
    """
    judged = _judged(sweep)
    folds = {fold for _, fold in judged}
    common = sorted(
        fold
        for fold in folds
        if all((number, fold) in judged for number in range(len(sweep.values)))
    )
    verdicts = _on_the_same_slices(
        [
            {one.identity: one for fold in common for one in judged[number, fold]}
            for number in range(len(sweep.values))
        ]
    )
    rows = []
    for number, value in enumerate(sweep.values):
        done = sum((number, fold) in judged for fold in folds)
        if verdicts is None:
            rows.append(Compared(value, done, None))
            continue
        figures = summarise(verdicts[number])
        if number:
            difference, ci95, _chance = difference_in_auc(verdicts[number], verdicts[0])
            rows.append(Compared(value, done, figures, difference, ci95))
        else:
            rows.append(Compared(value, done, figures))
    return tuple(rows)


def _judged(sweep: Sweep) -> dict[tuple[int, int], tuple[Reviewed, ...]]:
    found = {}
    for place, run in sweep.runs.items():
        try:
            found[place] = read_review(run).slices
        except DatasetError:  # it waits, is at work, failed or was changed
            continue
    return found


def _on_the_same_slices(
    values: list[dict[tuple[str, str], Reviewed]],
) -> list[Verdicts] | None:
    """The verdicts of each value in the same order; None without slices of both classes."""
    shared = [identity for identity in values[0] if all(identity in one for one in values)]
    if len({values[0][identity].is_covid for identity in shared}) < 2:
        return None
    return [
        Verdicts(
            labels=np.array([one[identity].is_covid for identity in shared], bool),
            probabilities=np.array([one[identity].probability for identity in shared]),
            positive=np.array([one[identity].is_positive for identity in shared], bool),
            patients=np.array([one[identity].patient for identity in shared]),
        )
        for one in values
    ]
