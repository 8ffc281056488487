"""Where the outer zone of the thorax is hazy: denser than aerated lung, fainter than soft tissue.

Pneumonia by COVID-19 shows as ground-glass opacities that lie in the outer zone of the lungs more
often than not (Simpson et al. 2020, doi:10.1148/ryct.2020200152). Features averaged over such
places alone tell how an opacity looks, whatever its share of the lung. Edges of vessels, fissures
and the pleura are as faint and are covered too. The bounds were chosen by patient-grouped
cross-validation on COVID-CT's train and validation lists.
"""

import cv2
import numpy as np

_EDGES_HU = (-840, -740, -300, -200)  # not hazy, hazy, still hazy, not any more
_OUTER_ZONE, _HALF_STEP = 3 / 16, 1 / 80  # of the picture's width, from the thorax' edge inwards
_BLUR = 1 / 128  # of the picture's width; less than that is noise

_HU = np.arange(256) / 255 * 1200 - 1000
_HAZY_LEVELS = np.interp(_HU, _EDGES_HU, (0, 1, 1, 0)).astype(np.float32)


def hazy_cover(grey: np.ndarray, thorax: np.ndarray) -> np.ndarray:
    """The hazy places of the outer zone.

    Args:
        grey: uint8 (h, w), air-filled lung and soft tissue at their levels of
            :mod:`covidct.imaging.anatomy.thorax_crop`.
        thorax: uint8 (h, w), 0 outside it.

    Returns:
        uint8 (h, w), 0 to 255, nowhere above ``thorax``.
    """
    width = grey.shape[1]
    inside = np.pad(np.uint8(thorax > 127), 1)  # the picture's edge is an edge of the thorax
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    outer = np.clip(0.5 - (depth - _OUTER_ZONE * width) / (2 * _HALF_STEP * width), 0, 1)
    hazy = cv2.LUT(cv2.GaussianBlur(grey, (0, 0), _BLUR * width), _HAZY_LEVELS)
    return np.rint(hazy * outer * thorax).astype(np.uint8)
