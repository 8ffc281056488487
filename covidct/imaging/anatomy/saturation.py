"""Whether a window for soft tissue has blackened the lungs, so that what they held is lost."""

import numpy as np

from covidct.imaging.anatomy.lungs import Figure

# Of COVID-CT's slices in a mediastinal window at least 0.79 of the lungs is so dark, of those in a
# lung window at most 0.64; of Hounsfield units in the lung window nothing is, not even air.
_BLACK = 8  # grey levels, as JPEG may leave of black
_SHARE = 0.75  # of the lungs


def lungs_are_black(figure: Figure) -> bool:
    """Whether most of the lungs is saturated black."""
    lungs = figure.grey[figure.lungs]
    return bool(lungs.size and np.mean(lungs <= _BLACK) >= _SHARE)
