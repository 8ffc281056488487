"""How dense the lungs are as a whole, on a scale that no disease of theirs moves.

Air outside the body is -1000 Hounsfield units by definition, soft tissue between the lungs about
40. Where a picture shows both, its grey levels are tied to them, whatever its window.
"""

import cv2
import numpy as np

from covidct.imaging.anatomy.lungs import Figure, convex_hull, elliptic

AIR, TISSUE = -1000, 40  # Hounsfield units
_CHEST_WALL = 9  # pixels around the lungs' hull that are not looked at for air
_AIR_BELOW = 0.5  # of the grey level of soft tissue
_BLACK = 4  # grey level; padding and letters' ground are blacker than what a wide window shows
_LEAST_AIR = 0.02  # of the figure
_FEWEST_PIXELS = 50


def lung_density(figure: Figure) -> float | None:
    """Median density of the lungs with all that is in them, estimated, in Hounsfield units.

    None where the figure shows no lungs, too little air around the body, or no soft tissue.
    """
    if not figure.lungs.any():
        return None
    hull = convex_hull(figure.lungs)
    core = cv2.erode(figure.lungs.view(np.uint8), elliptic(3)).astype(bool)
    between = figure.grey[hull.astype(bool) & ~figure.lungs]
    if min(np.count_nonzero(core), between.size) < _FEWEST_PIXELS:
        return None
    tissue = float(np.median(between))
    around = figure.grey[cv2.dilate(hull, elliptic(2 * _CHEST_WALL + 1)) == 0]
    dark = around[around < _AIR_BELOW * tissue]
    enough = (one for one in (dark[dark > _BLACK], dark) if one.size >= _LEAST_AIR * hull.size)
    air = next((float(np.median(one)) for one in enough), None)
    if air is None:
        return None
    share = (float(np.median(figure.grey[core])) - air) / (tissue - air)
    return AIR + (TISSUE - AIR) * share
