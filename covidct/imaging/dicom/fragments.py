"""Where the frames of compressed pixel data lie (PS3.5 section A.4), found once for all of them."""

from bisect import bisect_right
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from pydicom.encaps import parse_fragments

_ITEM = 8  # bytes of an item's tag and length
_END = b"\xff\xd9"  # of a frame of the JPEG family
_PADDING = 10  # bytes at the end of a fragment, among which that mark may stand

Parts = tuple[memoryview, ...]


def frame_parts(
    pixels: bytes, frames: int, offsets: bytes = b"", lengths: bytes = b""
) -> Sequence[Parts]:
    """The fragments of each frame, by the first of these that the file has: an extended offset
    table, a basic one, as many fragments as frames, frames that end as those of JPEG do.

    Args:
        pixels: PixelData from the basic offset table on.
        frames: how many there are said to be.
        offsets: ExtendedOffsetTable, if there is one.
        lengths: ExtendedOffsetTableLengths, if there are some.

    Raises:
        ValueError, struct.error: the fragments are damaged, or frames overlap.
    """
    view, first = memoryview(pixels), _ITEM + int.from_bytes(pixels[4:_ITEM], "little")
    if offsets and lengths:
        return _by_extended_table(view[first:], frames, offsets, lengths)
    buffer = BytesIO(pixels)
    buffer.seek(first)
    _, starts = parse_fragments(buffer)
    fragments = [_content(view, start) for start in starts]
    table = np.frombuffer(view[_ITEM:first], "<u4")[:frames].tolist()
    if table:
        return _by_table(fragments, [start - first for start in starts], table)
    if len(fragments) == frames:
        return [(fragment,) for fragment in fragments]
    return [tuple(fragments)] if frames == 1 else _by_ends(fragments)


def _content(view: memoryview, start: int) -> memoryview:
    length = int.from_bytes(view[start + 4 : start + _ITEM], "little")
    return view[start + _ITEM : start + _ITEM + length]


def _by_extended_table(
    view: memoryview, frames: int, offsets: bytes, lengths: bytes
) -> list[Parts]:
    """Each frame is one fragment (PS3.3 section C.7.6.3.1.8)."""
    starts, sizes = (np.frombuffer(table, "<u8")[:frames].tolist() for table in (offsets, lengths))
    if sum(sizes) > len(view):
        raise ValueError("frames overlap")
    pairs = zip(starts, sizes, strict=True)
    return [(view[start + _ITEM : start + _ITEM + size],) for start, size in pairs]


def _by_table(
    fragments: Sequence[memoryview], starts: Sequence[int], table: list[int]
) -> list[Parts]:
    if table != sorted(table):
        raise ValueError("frames overlap")
    parts: list[list[memoryview]] = [[] for _ in table]
    for fragment, start in zip(fragments, starts, strict=True):
        parts[max(0, bisect_right(table, start) - 1)].append(fragment)
    return list(map(tuple, parts))


def _by_ends(fragments: Sequence[memoryview]) -> list[Parts]:
    parts: list[list[memoryview]] = [[]]
    for fragment in fragments:
        parts[-1].append(fragment)
        if _END in bytes(fragment[-_PADDING:]):
            parts.append([])
    return [tuple(part) for part in parts if part]
