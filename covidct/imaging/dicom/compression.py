"""One compressed frame of a DICOM object as numbers, by the decoders of imagecodecs."""

import math
import struct

import numpy as np
from imagecodecs import dicomrle_decode
from pydicom import uid

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.formats import jpeg_xl
from covidct.imaging.formats.jpeg_2000 import CODESTREAM, check_codestream
from covidct.imaging.formats.segments import segments
from covidct.messages import N_
from covidct.runtime.decoder import decode

_NEWEST = {"1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112"}
_END = b"\xff\xd9"  # how every frame of the JPEG family ends
_SCAN, _TILE_PART, _TILE_DATA = b"\xff\xda", b"\xff\x90", b"\xff\x93"
_TAILS = (b"\x55" * 64, b"\xaa" * 64)  # must not matter behind a frame that is whole
_JPEG_LS = 0xFFF7  # its start of frame
_RLE_HEADER = struct.Struct("<II")
_START_OF_FRAME = {*range(0xFFC0, 0xFFD0), 0xFFF7} - {0xFFC4, 0xFFC8, 0xFFCC}
_SEQUENTIAL = {0xFFC0, 0xFFC1, 0xFFC3, 0xFFF7}  # each pass over a progressive frame costs time


def check_codec(frame: bytes, syntax: uid.UID) -> None:
    """Refuse a frame in a compression that cannot be read, by its name.

    Raises:
        UnsupportedEncoding: so.
    """
    known = _is_jpeg(frame) or CODESTREAM in frame[:512] or jpeg_xl.STARTS.match(frame)
    if known or _is_rle(frame, syntax):
        return
    if syntax in _NEWEST:
        name: str = "JPEG XL"
    elif syntax.name != syntax and syntax.is_compressed:
        name = syntax.name
    else:
        name = N_("an unknown compression")
    raise UnsupportedEncoding(
        N_(
            "The DICOM file uses {compression}, which cannot be read here. Export it "
            "uncompressed (Explicit VR Little Endian).",
            compression=name,
        )
    )


def is_codestream(frame: bytes) -> bool:
    """Whether bytes begin as a frame of the JPEG family does."""
    return _is_jpeg(frame) or frame.startswith(CODESTREAM)


def decompress(
    frame: bytes, syntax: uid.UID, shape: tuple[int, int], bits: int, channels: int = 1
) -> np.ndarray:
    """Decode one frame.

    The codestream tells the decoder, since the transfer syntax that files name may be wrong. A
    frame is opened only if it is of the declared size, so that none can unpack to more; and only
    if it is whole, since the decoders fill up with grey what is missing. The mark at its end may
    be missing, and anything may follow it. The decoders of the JPEG family run in processes of
    their own.

    Args:
        frame: the compressed bytes, fragments joined.
        syntax: as the file names it, by which RLE alone goes.
        shape: rows and columns as the header declares them.
        bits: BitsAllocated, by which RLE alone goes.
        channels: 1, or 3 of a picture stored in colours.

    Returns:
        Integers (H, W) or (H, W, 3) as they were stored, of whatever depth the frame has.

    Raises:
        UnreadableSlice: the frame is of another size.
        UnsupportedEncoding: it is in a compression that cannot be read.
        ValueError, RuntimeError, struct.error: it is damaged or incomplete.
    """
    check_codec(frame, syntax)
    size = (*shape, channels) if channels > 1 else shape
    if jpeg_xl.STARTS.match(frame):
        values = decode("jpegxl_decode", frame) if jpeg_xl.declared_size(frame) == shape else None
        if values is None or values.shape != size:
            raise _of_another_size()
        return values
    if not _is_jpeg(frame) and CODESTREAM not in frame[:512]:
        unpacked = dicomrle_decode(frame, f"<u{bits // 8}", out=math.prod(size) * bits // 8)
        return _of_planes(np.frombuffer(unpacked, f"<u{bits // 8}"), shape, channels)
    if not _is_jpeg(frame):  # a wrapper is not conformant, and its boxes need not be sound
        frame = frame[frame.index(CODESTREAM) :]
    marker, *declared = _declared(frame, channels)
    if tuple(declared) == shape:
        values = _decoded(frame, marker)
        if values.shape == size:
            return values
    raise _of_another_size()


def _of_another_size() -> UnreadableSlice:
    return UnreadableSlice(
        N_("The compressed picture in the DICOM file is not of the size that its header declares.")
    )


def _of_planes(values: np.ndarray, shape: tuple[int, int], channels: int) -> np.ndarray:
    """RLE holds one channel after the other (PS3.5 section G.2)."""
    if channels == 1:
        return values.reshape(shape)
    return np.moveaxis(values.reshape(channels, *shape), 0, -1)


def _is_jpeg(frame: bytes) -> bool:
    return frame.startswith(b"\xff\xd8\xff")


def _is_rle(frame: bytes, syntax: uid.UID) -> bool:
    """Whether it begins with the header of PS3.5 section G.5, or the file says so."""
    if syntax == uid.RLELossless or len(frame) < _RLE_HEADER.size:
        return syntax == uid.RLELossless
    segments, first = _RLE_HEADER.unpack_from(frame)
    return 1 <= segments <= 15 and first == 64


def _decoded(frame: bytes, marker: int) -> np.ndarray:
    """The values of a frame of the JPEG family that is of the right size.

    Raises:
        ValueError: it is cut off.
    """
    if not marker:
        check_codestream(frame)
        return decode("jpeg2k_decode", _whole_jpeg_2000(frame))
    end = frame.rfind(_END)
    whole = end > frame.find(_SCAN) > 0
    cut = frame[:end] if whole else frame.rstrip(b"\0").removesuffix(b"\xff")
    if marker == _JPEG_LS:  # whose decoder minds itself whether anything is missing
        return decode("jpegls_decode", cut + _END)
    values = decode("jpeg8_decode", cut + _END)
    if not whole and not all(
        np.array_equal(values, decode("jpeg8_decode", cut + tail + _END)) for tail in _TAILS
    ):
        raise ValueError("the frame has no end")
    return values


def _whole_jpeg_2000(frame: bytes) -> bytes:
    """The codestream without what follows it, its end marked.

    Raises:
        ValueError: a tile is cut off or missing (ISO/IEC 15444-1, section A.4.2).
    """
    end = frame.rfind(_END)
    if end > frame.find(_TILE_DATA) > 0:
        return frame[: end + len(_END)]
    right, bottom, _, _, width, height, left_tile, top_tile = struct.unpack_from(">8I", frame, 8)
    tiles = math.ceil((right - left_tile) / width) * math.ceil((bottom - top_tile) / height)
    at, seen = frame.index(_TILE_PART), set()
    while frame[at : at + 2] == _TILE_PART:
        tile, length = struct.unpack_from(">HI", frame, at + 4)
        if not 12 < length <= len(frame) - at:
            raise ValueError("a tile is cut off")
        seen.add(tile)
        at += length
    if len(seen) < tiles:
        raise ValueError("a tile is missing")
    return frame[:at] + _END


def _declared(frame: bytes, expected: int) -> tuple[int, int, int]:
    """The start of frame, rows and columns that a frame of the JPEG family declares itself.

    JPEG 2000 has no such marker, which then is 0.

    Raises:
        ValueError: it has other channels than expected, or is in a variant that costs too much.
    """
    if frame.startswith(CODESTREAM):
        return 0, *_declared_by_jpeg_2000(frame, expected)
    for marker, at in segments(frame):
        if marker in _START_OF_FRAME:
            rows, columns, channels = struct.unpack_from(">HHB", frame, at + 3)
            if channels != expected or marker not in _SEQUENTIAL:
                raise ValueError("coloured or progressive")
            return marker, rows, columns
    raise ValueError("no start of frame")


def _declared_by_jpeg_2000(frame: bytes, expected: int) -> tuple[int, int]:
    """The same of the SIZ segment (ISO/IEC 15444-1, section A.5.1)."""
    right, bottom, left, top, _, _, _, _, channels = struct.unpack(">8IH", frame[8:42])
    if channels != expected:
        raise ValueError("coloured")
    return bottom - top, right - left
