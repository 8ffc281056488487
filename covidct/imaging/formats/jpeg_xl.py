"""JPEG XL pictures; their size is read first, since the decoder follows any that they claim.

Source: ISO/IEC 18181-1, annex D (headers), and 18181-2 (boxes).
"""

import re
import struct
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from covidct.imaging.formats.pixels import MAX_CT_PIXELS, check_size
from covidct.runtime.decoder import decode

_CODESTREAM, _CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
STARTS = re.compile(re.escape(_CODESTREAM) + b"|" + re.escape(_CONTAINER))
_MOST_EXTRA = 1  # channels beside the colours: transparency
_RATIOS = {1: (1, 1), 2: (6, 5), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIDES = ((9, 1), (13, 1), (18, 1), (30, 1))
_DEPTHS = ((0, 8), (0, 10), (0, 12), (6, 1))
_EXTRAS = ((0, 0), (0, 1), (4, 2), (12, 1))


def declared_size(data: bytes) -> tuple[int, int]:
    """Rows and columns.

    Raises:
        ValueError: it is damaged, or has previews, frames or channels that no slice needs.
        struct.error: it is cut off.
    """
    bits = _Bits(_codestream(data)[len(_CODESTREAM) :])
    rows, columns = _size(bits)
    if not bits.take(1):  # else all of the metadata are as usual
        if bits.take(1):
            bits.take(3)  # orientation
            if bits.take(1) or bits.take(1) or bits.take(1):
                raise ValueError("another size, a preview or an animation")
        if bits.take(1):
            bits.choose(((0, 32), (0, 16), (0, 24), (6, 1)))
            bits.take(4)
        else:
            bits.choose(_DEPTHS)
        bits.take(1)
        if bits.choose(_EXTRAS) > _MOST_EXTRA:
            raise ValueError("too many channels")
    return rows, columns


def open_picture(file: BinaryIO) -> Image.Image:
    """The picture in a JPEG XL file, upright; 16-bit colours as grey.

    Raises:
        UnreadableSlice: it is of a refused size.
        ValueError, RuntimeError, struct.error: it is damaged or incomplete.
    """
    data = file.read()
    check_size(*declared_size(data), MAX_CT_PIXELS)  # of which the decoder makes floats
    values = decode("jpegxl_decode", data)
    if values.ndim == 3 and values.dtype != np.uint8:
        values = cv2.cvtColor(np.ascontiguousarray(values[..., :3]), cv2.COLOR_RGB2GRAY)
    return Image.fromarray(values)


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream, out of its boxes."""
    if data.startswith(_CODESTREAM):
        return data[:64]
    at = len(_CONTAINER)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0
            return data[start : start + 64]
        if length < 8:
            break
        at += length
    raise ValueError("no codestream")


def _size(bits: "_Bits") -> tuple[int, int]:
    in_eights = bits.take(1)
    rows = 8 * (bits.take(5) + 1) if in_eights else bits.choose(_SIDES)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return rows, rows * across // down
    return rows, 8 * (bits.take(5) + 1) if in_eights else bits.choose(_SIDES)


class _Bits:
    """Bits of a codestream, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._left, self._count = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        """So many bits as a number."""
        if count > self._count:
            raise ValueError("cut off")
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        self._count -= count
        return value

    def choose(self, ways: tuple[tuple[int, int], ...]) -> int:
        """A number in one of four ways, each of so many bits and above so much."""
        count, offset = ways[self.take(2)]
        return self.take(count) + offset
