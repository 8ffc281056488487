"""A JPEG 2000 frame whose coding style is the bytes; the first one chooses where that stands."""

import struct

import imagecodecs
import numpy as np
from pydicom import uid
from targets import frame

_FRAME = imagecodecs.jpeg2k_encode(np.eye(frame.SIDE, dtype=np.uint16), codecformat="j2k")
_COD, _COC, _TILE_PART, _DATA = b"\xff\x52", b"\xff\x53", b"\xff\x90", b"\xff\x93"
_STYLE = _FRAME.index(_COD)
STYLE = _FRAME[_STYLE + 4 : _STYLE + 2 + int.from_bytes(_FRAME[_STYLE + 2 : _STYLE + 4], "big")]


def target(data: bytes) -> None:
    place, body = data[:1] or b"\0", data[1:]
    marker = _COC if place[0] & 1 else _COD
    segment = marker + struct.pack(">H", len(body) + 2) + body
    whole = _in_tile(segment) if place[0] & 2 else _in_main_header(segment)
    frame.target(bytes([frame.SYNTAXES.index(uid.JPEG2000)]) + whole)


def _in_main_header(segment: bytes) -> bytes:
    rest = _FRAME[_STYLE:] if segment.startswith(_COC) else _FRAME[_STYLE + 4 + len(STYLE) :]
    return _FRAME[:_STYLE] + segment + rest


def _in_tile(segment: bytes) -> bytes:
    part, data = _FRAME.index(_TILE_PART), _FRAME.index(_DATA)
    (length,) = struct.unpack_from(">I", _FRAME, part + 6)
    longer = struct.pack(">I", length + len(segment))
    return _FRAME[: part + 6] + longer + _FRAME[part + 10 : data] + segment + _FRAME[data:]
