"""Which pictures are of one series, whatever UIDs they carry."""

import operator
from typing import Any

from covidct.imaging.dicom.frame_facts import FrameFacts


def by_folder(group: list[FrameFacts]) -> list[list[FrameFacts]]:
    """Take apart what one constant UID holds together: folders that hold different pictures at the
    same positions, or under the same numbers where there are none."""
    folders: dict[str, list[FrameFacts]] = {}
    for frame in group:
        folders.setdefault(frame.folder, []).append(frame)
    places: dict[Any, tuple[str, bytes]] = {}
    for frame in group:
        where = frame.position or frame.instance
        folder, digest = places.setdefault(where, (frame.folder, frame.digest))
        if folder != frame.folder and digest != frame.digest:
            return list(folders.values())
    return [group]


def join(groups: list[list[FrameFacts]]) -> list[list[FrameFacts]]:
    """Put together what is one scan although its SeriesInstanceUID varies.

    Converters that make UIDs of the time of day cut a scan where a second ends. The parts then
    have UIDs that differ in one component, series number, size and spacing in common, and no
    instance number twice.
    """
    joined: list[list[FrameFacts]] = []
    by_kin: dict[tuple[str, ...], tuple[list[FrameFacts], set[tuple]]] = {}
    for group in groups:
        numbers = {frame.instance for frame in group}
        earlier, taken = by_kin.setdefault(group[0].kin, (group, numbers))
        if (
            group[0].series
            and are_alike(group[0].series, earlier[0].series)
            and taken.isdisjoint(numbers)
        ):
            earlier += group
            taken |= numbers
        else:
            joined.append(group)
    return joined


def are_alike(uid: str, other: str) -> bool:
    """Whether two UIDs differ in exactly one component."""
    parts, others = uid.split("."), other.split(".")
    return len(parts) == len(others) and sum(map(operator.ne, parts, others)) == 1
