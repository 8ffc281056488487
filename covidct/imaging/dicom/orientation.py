"""A slice the way it is looked at: the patient's front at the top, the patient's left on the right.

A scanner may store it otherwise, as it does of a patient who lies prone, and says so in the header.
"""

from dataclasses import dataclass

import numpy as np

from covidct.imaging.dicom.header import Header
from covidct.messages import N_

TURNED = N_(
    "The slice was turned, so that the patient’s front is at the top and the patient’s left on the "
    "right: its header says that it is stored otherwise."
)
_AXIAL = 0.8  # of the normal that points along the body; of other planes nothing is known


@dataclass(frozen=True, slots=True)
class Turn:
    """What makes a stored slice upright: exchange rows and columns, then reverse them.

    Attributes:
        transposed: whether rows become columns.
        columns_reversed: whether left and right change places, after that.
        rows_reversed: whether top and bottom change places, after that.
    """

    transposed: bool = False
    columns_reversed: bool = False
    rows_reversed: bool = False

    def of(self, stored: np.ndarray) -> np.ndarray:
        """The upright picture of a stored one (H, W), as a view."""
        turned = stored.T if self.transposed else stored
        turned = turned[:, ::-1] if self.columns_reversed else turned
        return turned[::-1] if self.rows_reversed else turned

    def undone(self, turned: np.ndarray) -> np.ndarray:
        """The stored picture of an upright one (H, W), as a view."""
        turned = turned[::-1] if self.rows_reversed else turned
        turned = turned[:, ::-1] if self.columns_reversed else turned
        return turned.T if self.transposed else turned


def upright(header: Header) -> Turn:
    """How to turn a slice by the direction of its rows and columns (PS3.3 section C.7.6.2.1.1).

    The header's patient coordinates rise to the left, the back and the head. What is tilted or
    rotated by less than 45 degrees stays so.
    """
    cosines = header.numbers("ImageOrientationPatient", 6)
    if not cosines:
        return Turn()
    along_row, along_column = np.array(cosines[:3]), np.array(cosines[3:])
    if abs(np.cross(along_row, along_column)[2]) < _AXIAL:
        return Turn()
    transposed = bool(abs(along_row[1]) > abs(along_row[0]))
    if transposed:
        along_row, along_column = along_column, along_row
    return Turn(transposed, bool(along_row[0] < 0), bool(along_column[1] < 0))
