"""One verdict for a series of slices.

A lesion seldom shows on one slice alone, an error of the network often does. So a series goes by
the highest median of three neighbouring slices: two of them must agree, and one slice alone decides
nothing.
"""

from collections.abc import Sequence

import numpy as np

from covidct.inference.calibration import BLACK_LUNGS, Calibration
from covidct.inference.classifier import Prediction
from covidct.messages import N_

NEIGHBOURS = 3
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
        The verdict, and the position in ``slices`` of the slice that it rests on.
    """
    probabilities = np.array([prediction.probability for prediction in slices])
    width = min(NEIGHBOURS, len(slices))
    windows = np.lib.stride_tricks.sliding_window_view(probabilities, width)
    middle = (width - 1) // 2  # of an even number the lower, so that two must agree here as well
    first = int(np.sort(windows, axis=1)[:, middle].argmax())
    position = first + int(np.argsort(windows[first], kind="stable")[middle])
    verdict = Prediction.at(
        calibration,
        float(probabilities[position]),
        slices[position].model_id,
        opaque_share,
        density,
        lungs_are_black=slices[position].doubt == BLACK_LUNGS,
    )
    return verdict, position
