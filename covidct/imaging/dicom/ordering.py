"""The slices of a series in the order of the body, and what is missing between them."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from covidct.imaging.dicom.frame_facts import FrameFacts
from covidct.messages import N_, ngettext

BY_NUMBER = N_("The headers give no positions: the slices are in order of their instance numbers.")
BY_NAME = N_(
    "The headers give neither positions nor numbers: the slices are in order of file names."
)
REPEATED = N_("Several slices lie at the same position: the series may hold more than one scan.")
JOINED = N_("The headers split this scan into several series; by its numbers it is one.")
SPACING_CHANGES = N_("The distance between slices changes along the series; none is missing.")


class Order(NamedTuple):
    """The slices of a series in order.

    Attributes:
        slices: from the feet to the head where positions are known.
        positions: in millimetres, one for each slice; empty where they are not known.
        notes: plain sentences about order and completeness.
    """

    slices: list[FrameFacts]
    positions: list[float]
    notes: tuple[str, ...]


def in_order(slices: Sequence[FrameFacts]) -> Order:
    """Slices by position, else by instance number, else by file name."""
    positions, instances = _positions(slices), [frame.instance for frame in slices]
    numbers = [number for number, _ in instances if number is not None]
    keys: list[Any]
    steps: list[float]
    if positions:
        keys, steps, note = positions, positions, ""
    elif len(numbers) == len(set(instances)) == len(instances):
        keys, steps, note = instances, numbers, BY_NUMBER
    else:
        keys, steps, note = [_natural(frame) for frame in slices], [], BY_NAME
    ranked = sorted(range(len(slices)), key=keys.__getitem__)
    notes = [note] if note and len(slices) > 1 else []
    if len({frame.series for frame in slices}) > 1:
        notes.insert(0, JOINED)
    if len(set(positions)) < len(positions):
        notes.append(REPEATED)
    return Order(
        [slices[i] for i in ranked],
        [positions[i] for i in ranked] if positions else [],
        (*notes, *_gaps(steps, numbers)),
    )


def _positions(slices: Sequence[FrameFacts]) -> list[float]:
    """Millimetres along the common normal; empty where one is unknown or all are the same."""
    corners = [frame.position for frame in slices if frame.position is not None]
    if len(corners) < len(slices) or (len(slices) > 1 and len(set(corners)) == 1):
        return []
    normals = [frame.normal for frame in slices if frame.normal is not None]
    normal = np.mean(normals, axis=0) if normals else (0, 0, 1)
    return [round(float(np.dot(corner, normal)), 3) for corner in corners]


def _gaps(steps: Sequence[float], numbers: Sequence[float]) -> tuple[str, ...]:
    """A note on slices that are missing, told from positions or numbers at uneven distances.

    None is, where instance numbers have no gap, or where the distance changes once for good.
    """
    distances = np.diff(np.unique(steps))
    if len(distances) < 2:
        return ()
    changes = np.abs(np.diff(distances)) > 0.1 * distances.min()
    counted = len(set(numbers)) == len(steps) and max(numbers) - min(numbers) == len(steps) - 1
    once = changes.sum() == 1 and not (changes[:2].any() or changes[-2:].any())
    if changes.any() and (counted or once):
        return (SPACING_CHANGES,) if distances.max() > 1.5 * distances.min() else ()
    usual = float(np.percentile(distances, 25, method="lower"))  # many may be missing
    missing = int(sum(round(d / usual) - 1 for d in distances if d > 1.5 * usual))
    if not missing:
        return ()
    return (
        ngettext(
            "One slice seems to be missing: the distance between neighbours is uneven.",
            "{count} slices seem to be missing: the distance between neighbours is uneven.",
            missing,
        ),
    )


def _natural(frame: FrameFacts) -> tuple:
    """A key by which "slice 10" comes after "slice 9"."""
    parts = re.split(r"0*(\d+)", frame.file.name)
    return *((len(part), part) if i % 2 else part for i, part in enumerate(parts)), frame.index
