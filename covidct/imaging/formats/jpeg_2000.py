"""What a JPEG 2000 codestream may ask of its decoder, whatever holds it.

Source: ISO/IEC 15444-1, annex A. Tiles, layers and precincts cost memory each, without a pixel.
"""

import math
import struct
from collections.abc import Iterator
from typing import NamedTuple

CODESTREAM = b"\xff\x4f\xff\x51"  # how it begins, inside of its wrapper
_SIZE, _STYLE, _STYLE_OF_CHANNEL, _TILE_PART, _TILE_DATA = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93
_MIN_TILE = 64  # pixels a side
_MOST_LAYERS = 256  # archives write 1 to 50
_MOST_PRECINCTS = 50_000  # of a channel; of 4096² pixels, 32 pixels a side


class Size(NamedTuple):
    """What the SIZ segment declares: rows, columns and channels."""

    rows: int
    columns: int
    channels: int


def check_codestream(data: bytes) -> Size:
    """The size that a codestream declares.

    Args:
        data: a codestream, or a file around one.

    Raises:
        ValueError: it asks for more than a picture needs, or is damaged.
        struct.error: it is cut off.
    """
    codestream = data[data.index(CODESTREAM) :]
    size = _size(codestream)
    for marker, segment in _segments(codestream):
        if marker == _STYLE:
            flags, _, layers, _ = struct.unpack_from(">BBHB", segment)
            _check_style(size, layers, segment[5:], flags)
        elif marker == _STYLE_OF_CHANNEL:
            wide = size.channels > 256
            _check_style(size, 1, segment[2 + wide :], segment[1 + wide])
    return size


def _size(codestream: bytes) -> Size:
    right, bottom, left, top, width, height, _, _, channels = struct.unpack_from(
        ">8IH", codestream, 8
    )
    size = Size(bottom - top, right - left, channels)
    if min(size) < 1:
        raise ValueError("an empty picture")
    if width < min(_MIN_TILE, size.columns) or height < min(_MIN_TILE, size.rows):
        raise ValueError("in tiny tiles")
    return size


def _segments(codestream: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker segments of the main header and of the headers of tile-parts."""
    at, tile_part, following = 2, 0, 0
    while at + 4 <= len(codestream):
        marker, length = struct.unpack_from(">HH", codestream, at)
        if marker == _TILE_DATA:
            if not following:  # the last one reaches to the end
                return
            at = tile_part + following
            continue
        if marker < 0xFF01 or length < 2:
            return
        if marker == _TILE_PART:
            tile_part = at
            (following,) = struct.unpack_from(">I", codestream, at + 6)
            if 0 < following < 12:
                raise ValueError("a tile-part that is shorter than its header")
        yield marker, codestream[at + 4 : at + 2 + length]
        at += 2 + length


def _check_style(size: Size, layers: int, style: bytes, flags: int) -> None:
    """Refuse too many layers or precincts, by what COD and COC have in common (table A.20)."""
    levels = style[0]
    sides = style[5 : 6 + levels] if flags & 1 else b""
    precincts = sum(
        math.ceil((size.columns >> (levels - level)) / (1 << (exponents & 15)))
        * math.ceil((size.rows >> (levels - level)) / (1 << (exponents >> 4)))
        for level, exponents in enumerate(sides)
    )
    if levels > 32 or layers > _MOST_LAYERS or precincts > _MOST_PRECINCTS:
        raise ValueError("in too many layers or precincts")
