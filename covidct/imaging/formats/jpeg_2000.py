"""What a JPEG 2000 codestream asks of its decoder, which a few bytes of its headers decide.

Its coding style may cut the smallest picture into millions of packets: one for each layer, precinct
and resolution (ISO/IEC 15444-1, sections A.6.1, A.6.2 and B.6 to B.12). It stands in the main
header and, for a tile, in the header of any of its parts.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from covidct.errors import UnreadableSlice
from covidct.messages import N_

CODESTREAM = b"\xff\x4f\xff\x51"  # how it begins, inside of its wrapper
MAX_PACKETS = 100_000  # 4096² in 20 layers and precincts of 128² have 27,000
MAX_BLOCKS = 100_000  # 4096² in code-blocks of 16² have 87,000
MAX_SEGMENTS = 20_000
_MIN_TILE = 64  # pixels a side; each tile costs memory
_MOST_PROGRESSIONS = 32

_SIZE = struct.Struct(">8I")  # of the picture and of the tiles, each with its offsets
_COD, _COC, _POC, _SOT, _SOD, _END = 0xFF52, 0xFF53, 0xFF5F, 0xFF90, 0xFF93, 0xFFD9
_MAIN_HEADER = 2  # bytes before it
_LARGEST_PRECINCT = 15  # the exponent where none is given


@dataclass(frozen=True, slots=True)
class _Style:
    """How a component is coded; sides of precincts and code-blocks as exponents of 2."""

    layers: int
    precincts: tuple[tuple[int, int], ...]  # of each resolution, the smallest first
    block: tuple[int, int]

    def packets_and_blocks(self, rows: int, columns: int) -> tuple[int, int]:
        """So many at most in a tile of that size."""
        packets = blocks = 0
        for resolution, precinct in enumerate(self.precincts):
            scale = len(self.precincts) - 1 - resolution
            sides = [math.ceil(side / 2**scale) for side in (columns, rows)]
            count = math.prod(_parts(side, p) for side, p in zip(sides, precinct, strict=True))
            cut = [min(b, max(0, p - 1)) for b, p in zip(self.block, precinct, strict=True)]
            packets += count
            blocks += math.prod(_parts(side, c) for side, c in zip(sides, cut, strict=True))
        return packets * self.layers, blocks


def _parts(side: int, exponent: int) -> int:
    """Into how many a side is cut at most, wherever its first pixel lies."""
    return math.ceil(side / 2**exponent) + 1


def check_codestream(data: bytes) -> None:
    """Refuse a codestream whose tiles, packets or code-blocks are out of all proportion.

    Args:
        data: a codestream, or a file around one.

    Raises:
        UnreadableSlice: they are.
        ValueError, struct.error: its headers are damaged.
    """
    frame = data[data.index(CODESTREAM) :]
    right, bottom, left, top, width, height, left_tile, top_tile = _SIZE.unpack_from(frame, 8)
    (components,) = struct.unpack_from(">H", frame, 40)
    rows, columns = bottom - top, right - left
    if min(rows, columns) < 1:
        raise ValueError("an empty picture")
    if width < min(_MIN_TILE, columns) or height < min(_MIN_TILE, rows):
        raise ValueError("in tiny tiles")
    tiles = math.ceil((right - left_tile) / width) * math.ceil((bottom - top_tile) / height)
    layers = 1
    for number, (marker, body) in enumerate(_segments(frame)):
        style = None
        if marker == _COD:
            layers = int.from_bytes(body[2:4], "big")
            style = _style(body[5:], bool(body[0] & 1), layers)
        elif marker == _COC:
            after = body[1 if components < 257 else 2 :]
            style = _style(after[1:], bool(after[0] & 1), layers)
        packets, blocks = (
            style.packets_and_blocks(min(rows, height), min(columns, width)) if style else (0, 0)
        )
        if (
            number > MAX_SEGMENTS
            or components * tiles * packets > MAX_PACKETS
            or components * tiles * blocks > MAX_BLOCKS
            or (marker == _POC and len(body) > 9 * _MOST_PROGRESSIONS)
        ):
            raise UnreadableSlice(
                N_(
                    "The JPEG 2000 picture is cut into far more parts than slices are. Export it "
                    "uncompressed."
                )
            )


def _style(body: bytes, own_precincts: bool, layers: int) -> _Style:
    """Of the parameters that COD and COC have in common (table A.20)."""
    levels, block = body[0], (body[1] + 2, body[2] + 2)
    sizes = body[5 : 6 + levels] if own_precincts else bytes(levels + 1)
    if levels > 32 or len(sizes) != levels + 1:
        raise ValueError("more levels than there are")
    precincts = [
        (size & 15, size >> 4) if own_precincts else (_LARGEST_PRECINCT,) * 2 for size in sizes
    ]
    return _Style(layers, tuple(precincts), block)


def _segments(frame: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and parameters of each segment, those of all parts of tiles as well.

    Raises:
        ValueError, struct.error: a marker is missing.
    """
    at, end_of_part = _MAIN_HEADER, 0
    while True:
        (marker,) = struct.unpack_from(">H", frame, at)
        if marker == _END:
            return
        if marker == _SOD:
            if not end_of_part or end_of_part >= len(frame) - 1:
                return  # the last part may be without a length, or without an end
            at, end_of_part = end_of_part, 0
            continue
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if marker < 0xFF01 or length < 2:
            raise ValueError("no marker where one must be")
        if marker == _SOT:
            (size,) = struct.unpack_from(">I", frame, at + 6)
            if size and size < 14:
                raise ValueError("a tile is too short")
            end_of_part = at + size if size else 0
        yield marker, frame[at + 4 : at + 2 + length]
        at += 2 + length
