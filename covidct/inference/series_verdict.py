"""One verdict for a series of slices.

A lesion seldom shows on one slice alone, an error of the network often does. So a series goes by
the highest median of three neighbouring slices: two of them must agree, and one slice alone decides
nothing.

By a model that tells classes without COVID-19 apart, these share what the series' probability
leaves, as they do of a slice. Their shares are the medians (the median rule of Kittler et al. 1998,
doi:10.1109/34.667881) of the shares on the slices that the verdict rests on: in each three that
has the highest median, those of that probability or a higher one, which are two at least. A median
of all slices would be that of the healthy ones wherever disease is confined, and a highest median
of each class would favour whichever class a few slices look like. So they say what else the most
suspicious part of the lungs may be, and were not calibrated on series.
"""

from collections.abc import Sequence

import numpy as np

from covidct.data.classes import COVID
from covidct.inference.calibration import BLACK_LUNGS, Calibration
from covidct.inference.classifier import Prediction
from covidct.messages import N_

NEIGHBOURS = 3
_LEAST = np.finfo(float).tiny  # so that classes of which nothing is left share evenly
RULE = N_(
    "A series is given the highest median probability of three neighbouring slices with lungs, so "
    "that one slice alone decides nothing."
)


def series_prediction(
    slices: Sequence[Prediction],
    calibration: Calibration,
    opaque_share: float = 0.0,
    density: float | None = None,
) -> tuple[Prediction, int]:
    """The verdict on a series.

    Args:
        slices: verdicts on its slices with lungs, in the order of the body; one at least.
        calibration: of the model that gave them.
        opaque_share: the part of its lungs' volume that is opaque.
        density: of its lungs as a whole, in Hounsfield units; None where it is not known.

    Returns:
        The verdict, with classes where ``slices`` have them, and the position in ``slices`` of the
        slice that it rests on.
    """
    probabilities = np.array([prediction.probability for prediction in slices])
    width = min(NEIGHBOURS, len(slices))
    windows = np.lib.stride_tricks.sliding_window_view(probabilities, width)
    middle = (width - 1) // 2  # of an even number the lower, so that two must agree here as well
    medians = np.sort(windows, axis=1)[:, middle]
    first = int(medians.argmax())
    position = first + int(np.argsort(windows[first], kind="stable")[middle])
    verdict = Prediction.at(
        calibration,
        float(probabilities[position]),
        slices[position].model_id,
        opaque_share,
        density,
        lungs_are_black=slices[position].doubt == BLACK_LUNGS,
    )
    if slices[position].classes:
        names = [name for name in slices[position].classes if name != COVID]
        tied = np.flatnonzero(medians == medians[first])
        around = np.unique(tied[:, None] + np.arange(width))
        rests_on = around[probabilities[around] >= medians[first]]
        left = np.array([[slices[i].classes[name] for name in names] for i in rests_on])
        shares = _median_shares(left)
        verdict = verdict.with_classes(dict(zip(names, shares.tolist(), strict=True)))
    return verdict, position


def _median_shares(left: np.ndarray) -> np.ndarray:
    """Each class's median share in what COVID-19's probability leaves, (K,); their sum is 1.

    Args:
        left: float (N, K), of slices the probabilities of the classes without COVID-19.
    """
    left = left + _LEAST
    medians = np.median(left / left.sum(axis=1, keepdims=True), axis=0) + _LEAST
    return medians / medians.sum()
