"""The marker segments of a JPEG file or frame (ITU-T T.81, annex B), of which there are few.

Decoders take whatever number of them, and whatever lies between them, byte by byte.
"""

import re

from covidct.errors import UnreadableSlice
from covidct.messages import N_

MAX_SEGMENTS = 512  # a colour profile takes up to 255, a progressive picture 40
MAX_STRAY = 4096  # bytes that fill up, or belong to no segment

_END, _SCAN = 0xFFD9, 0xFFDA
_ALONE = {0xFF01, *range(0xFFD0, 0xFFD9)}  # without parameters
_MARKER = re.compile(rb"\xff[^\x00\xff]")
# 0xFF as a sample is followed by zero, in JPEG-LS by less than 0x80; restart marks are no segments
_MARKER_AFTER_SAMPLES = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")


def segments(data: bytes) -> list[tuple[int, int]]:
    """Marker of each segment, such as 0xFFDA, and where its length stands, up to the end mark.

    Args:
        data: from the start mark on.

    Raises:
        UnreadableSlice: there are more, or more bytes between them, than pictures have.
    """
    found: list[tuple[int, int]] = []
    pattern, at, stray = _MARKER, 2, 0
    while len(found) <= MAX_SEGMENTS and stray <= MAX_STRAY:
        mark = pattern.search(data, at)
        marker = int.from_bytes(mark[0], "big") if mark else _END
        between = data[at : mark.start()] if mark else b""
        stray += len(between) if pattern is _MARKER else 2 * between.count(b"\xff\xff")
        if mark is None or marker == _END:
            break
        at = mark.end()
        if marker not in _ALONE:
            found.append((marker, at))
            at += int.from_bytes(data[at : at + 2], "big")
        if marker == _SCAN:
            pattern = _MARKER_AFTER_SAMPLES
    if len(found) > MAX_SEGMENTS or stray > MAX_STRAY:
        raise UnreadableSlice(
            N_(
                "The JPEG picture has more segments, or more bytes between them, than pictures of "
                "slices have. Export it again."
            )
        )
    return found


def scans(data: bytes) -> int:
    """How many times a JPEG picture is passed over.

    Raises:
        UnreadableSlice: as :func:`segments`.
    """
    return sum(marker == _SCAN for marker, _ in segments(data))
