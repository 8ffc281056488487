"""What lies in a series and is none of its axial slices, with the reason."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from covidct.imaging.dicom.companions import companion, is_secondary_capture
from covidct.imaging.dicom.frame_facts import FrameFacts
from covidct.imaging.series import LeftOut
from covidct.messages import N_

SCOUT = N_("A scout: it shows where the slices lie and is none itself.")
DUPLICATE = N_("The same slice as another one of the series.")
NO_PICTURE = N_("A DICOM file without a picture: a report, a plan or an index.")
UNPLACED = N_("It has no place among the slices: its header gives no position as theirs do.")
OTHER_SIZE = N_("A picture of another size than the slices of the series.")
SCREEN_COPY = N_("A copy of a screen, such as a dose page, beside the CT.")

_AXIAL = math.cos(math.radians(35))  # gantries are tilted by up to 30 degrees
_NOT_AXIAL = (
    N_("Not an axial slice but a sagittal one."),
    N_("Not an axial slice but a coronal one."),
)
_OBLIQUE = N_("Not an axial slice but an oblique one.")


def split_off(
    frames: Sequence[FrameFacts], beside_ct: bool
) -> tuple[list[FrameFacts], tuple[LeftOut, ...]]:
    """The slices among the frames of a series, and what is set aside.

    Args:
        frames: in any order.
        beside_ct: whether CT was found with them, so that copies of a screen are none.
    """
    slices, set_aside = [], []
    seen: set[tuple] = set()
    reasons = {frame: _reason_against(frame, beside_ct) for frame in frames}
    reasons |= _misfits([frame for frame, reason in reasons.items() if not reason])
    for frame, reason in reasons.items():
        if not reason and frame.mark in seen:
            reason = DUPLICATE
        if reason:
            set_aside.append(LeftOut(frame.place(), reason))
        else:
            seen.add(frame.mark)
            slices.append(frame)
    return slices, tuple(set_aside)


def _misfits(slices: list[FrameFacts]) -> dict[FrameFacts, str]:
    """The few that cannot be ordered with the many: of another size, or without a position."""
    if len(slices) < 3:
        return {}
    ((size, most),) = Counter(frame.size for frame in slices).most_common(1)
    misfits: dict[FrameFacts, str] = {}
    if most > len(slices) / 2:
        misfits |= {frame: OTHER_SIZE for frame in slices if frame.size != size}
    rest = [frame for frame in slices if frame not in misfits]
    unplaced = [frame for frame in rest if frame.position is None]
    if len(unplaced) < len(rest) / 2:
        misfits |= dict.fromkeys(unplaced, UNPLACED)
    return misfits


def _reason_against(frame: FrameFacts, beside_ct: bool) -> str:
    """Why a picture is no axial slice, empty where it may be one."""
    reason = companion(frame.header)
    if reason:
        return reason
    if beside_ct and is_secondary_capture(frame.header):
        return SCREEN_COPY
    if not frame.digest:
        return NO_PICTURE
    if frame.is_scout:
        return SCOUT
    normal = frame.normal
    if normal is not None and normal[2] < _AXIAL:
        across = int(np.argmax(np.abs(normal)))
        return _OBLIQUE if abs(normal[across]) < _AXIAL else _NOT_AXIAL[across]
    return ""
