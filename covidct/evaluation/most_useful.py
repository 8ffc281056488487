"""Which slices to label next: those of whose verdict a model is least sure.

Uncertainty sampling (Lewis and Gale 1994, arXiv:cmp-lg/9407020), as MONAI Label has it: an image is
given a score of the model's uncertainty, and the greatest one is offered first. Here the score is
how near the calibrated probability lies to the operating point, where the verdict turns over.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from covidct.evaluation.results import confidence
from covidct.imaging.readers import read_slice
from covidct.imaging.series import Place
from covidct.inference.cases import Case
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Judged, judge_slices

MOST = 300  # slices that are asked about, so that nobody waits for many minutes


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A slice whose label is asked for.

    Attributes:
        path: the file.
        probability: of COVID-19, by the model.
        label: "Positive" or "Negative".
    """

    path: Path
    probability: float
    label: str


def most_useful(
    classifier: Classifier,
    paths: Sequence[Path],
    progress: Callable[[Iterable[Path]], Iterable[Path]] = iter,
) -> tuple[Suggestion, ...]:
    """Slices in the order in which their labels would tell the model most.

    Args:
        classifier: the model.
        paths: slices without a label; of more than :data:`MOST` as many from all over them.
        progress: wraps them, to show how far it is.

    Returns:
        The least certain first. What cannot be read or shows no lungs is left out.
    """
    places = np.linspace(0, len(paths) - 1, min(MOST, len(paths))).astype(int)
    asked = [paths[place] for place in places]
    cases = (Case(Place(path.name), partial(read_slice, path)) for path in progress(asked))
    found = [
        Suggestion(path, outcome.prediction.probability, outcome.prediction.label)
        for path, outcome in zip(asked, judge_slices(classifier, cases), strict=True)
        if isinstance(outcome, Judged)
    ]
    point = classifier.card.calibration.operating_point
    return tuple(sorted(found, key=lambda one: confidence(one.probability, point)))
