"""One compressed frame of a DICOM object as numbers, by the decoders of imagecodecs."""

import struct
from collections.abc import Callable

import numpy as np
from imagecodecs import dicomrle_decode, jpeg2k_decode, jpeg8_decode, jpegls_decode
from pydicom import uid

from covidct.errors import UnreadableSlice
from covidct.messages import N_

_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG_2000 = (
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
)
_DECODERS: dict[uid.UID, Callable[[bytes], np.ndarray]] = (
    dict.fromkeys(_JPEG, jpeg8_decode)
    | dict.fromkeys(_JPEG_LS, jpegls_decode)
    | dict.fromkeys(_JPEG_2000, jpeg2k_decode)
)
READ = frozenset(_DECODERS) | {uid.RLELossless}

_CODESTREAM = b"\xff\x4f\xff\x51"  # how JPEG 2000 begins inside of its wrapper
_END = b"\xff\xd9"  # how every frame of the JPEG family ends
_PADDING = 10  # bytes after it, as pydicom allows
_START_OF_FRAME = {*range(0xFFC0, 0xFFD0), 0xFFF7} - {0xFFC4, 0xFFC8, 0xFFCC}
_SEQUENTIAL = {0xFFC0, 0xFFC1, 0xFFC3, 0xFFF7}  # each pass over a progressive frame costs time
_MIN_TILE = 64  # pixels a side in JPEG 2000, where each tile costs memory


def decompress(frame: bytes, syntax: uid.UID, shape: tuple[int, int], bits: int) -> np.ndarray:
    """Decode one grey frame.

    A frame is opened only if it is of the declared size, so that none can unpack to more; and only
    if it is whole, since the decoders fill up with grey what is missing.

    Args:
        frame: the compressed bytes, fragments joined.
        syntax: one of `READ`.
        shape: rows and columns as the header declares them.
        bits: BitsAllocated, by which RLE alone goes.

    Returns:
        Integers (H, W) as they were stored, of whatever depth the frame has.

    Raises:
        UnreadableSlice: the frame is of another size.
        ValueError, RuntimeError, struct.error: it is damaged or incomplete.
    """
    if syntax == uid.RLELossless:
        unpacked = dicomrle_decode(frame, f"<u{bits // 8}", out=shape[0] * shape[1] * bits // 8)
        return np.frombuffer(unpacked, f"<u{bits // 8}").reshape(shape)
    if syntax in _JPEG_2000:  # a wrapper is not conformant, and its boxes need not be sound
        frame = frame[frame.index(_CODESTREAM) :]
    if _END not in frame[-_PADDING:]:
        raise ValueError("the frame has no end")
    if _declared_shape(frame) == shape:
        values = _DECODERS[syntax](frame)
        if values.shape == shape:
            return values
    raise UnreadableSlice(
        N_("The compressed picture in the DICOM file is not of the size that its header declares.")
    )


def _declared_shape(frame: bytes) -> tuple[int, int]:
    """Rows and columns that a frame of the JPEG family declares itself.

    Raises:
        ValueError: it is not one grey picture, or in a variant that costs too much.
    """
    if frame.startswith(_CODESTREAM):
        return _declared_by_jpeg_2000(frame)
    at = 2
    while True:
        marker, length, rows, columns, channels = struct.unpack(">HHxHHB", frame[at : at + 10])
        if marker in _START_OF_FRAME:
            if channels != 1 or marker not in _SEQUENTIAL:
                raise ValueError("coloured or progressive")
            return rows, columns
        if marker < 0xFF01:
            raise ValueError("no marker where one must be")
        at += 1 if marker == 0xFFFF else 2 + length


def _declared_by_jpeg_2000(frame: bytes) -> tuple[int, int]:
    """The same of the SIZ segment (ISO/IEC 15444-1, section A.5.1)."""
    right, bottom, left, top, width, height, _, _, channels = struct.unpack(">8IH", frame[8:42])
    rows, columns = bottom - top, right - left
    if channels != 1 or width < min(_MIN_TILE, columns) or height < min(_MIN_TILE, rows):
        raise ValueError("coloured, or in tiny tiles")
    return rows, columns
