"""The pixel data of one frame -> numbers as they were stored, whatever packs or misnames them."""

import math
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder

from covidct.imaging.dicom.compression import decompress
from covidct.imaging.dicom.header import Header

GE_PRIVATE = "1.2.840.113619.5.2"  # implicit VR little endian, pixels big endian
_PACKED = 12  # bits of which three bytes hold two values (PS3.5 section 8.1.1, retired)


def allocated_bits(header: Header) -> int:
    """BitsAllocated; what the length of the pixel data tells where it is missing, or 12 in words
    of 16 bits."""
    pixels = header.integer("Rows") * header.integer("Columns") * header.frames
    length = 8 * len(header.raw.get("PixelData", b""))
    told = 8 if pixels and not header.encapsulated and length // pixels < 16 else 16
    named = header.integer("BitsAllocated", 8 * header.float_bytes or told)
    return 16 if named == _PACKED and (header.encapsulated or told == 16) else named


def frame_length(header: Header) -> int:
    """Bytes of a frame that is not compressed."""
    pixels = header.integer("Rows") * header.integer("Columns")
    channels = header.integer("SamplesPerPixel", 1)
    return math.ceil(pixels * channels * allocated_bits(header) / 8)


def stored_values(pixels: bytes, header: Header, compressed: bool) -> np.ndarray:
    """Stored values of a frame, whole numbers or floating-point, (H, W) or (H, W, channels).

    Args:
        pixels: of the frame, as they are stored.
        header: of the frame.
        compressed: whether the pixels are a codestream.

    Raises:
        UnreadableSlice: as :func:`covidct.imaging.dicom.compression.decompress`.
        ValueError, RuntimeError, struct.error: damaged or incomplete.
    """
    shape = header.integer("Rows"), header.integer("Columns")
    channels, bits = header.integer("SamplesPerPixel", 1), allocated_bits(header)
    if compressed:
        stored = decompress(pixels, header.syntax, shape, bits, channels).astype(np.int64)
        return _within_word(stored, header)
    if header.float_bytes:
        order = ">" if header.is_big_endian else "<"
        return np.frombuffer(pixels, f"{order}f{header.float_bytes}").reshape(shape)
    if bits == _PACKED and channels == 1:
        return _within_word(_unpacked(pixels, shape), header)
    swapped = header.is_big_endian or header.syntax == GE_PRIVATE
    options: dict[str, Any] = {
        "rows": shape[0],
        "columns": shape[1],
        "samples_per_pixel": channels,
        "number_of_frames": 1,
        "planar_configuration": header.integer("PlanarConfiguration"),
        "photometric_interpretation": "MONOCHROME2" if channels == 1 else "RGB",
        "bits_allocated": bits,
        "bits_stored": bits,
        "pixel_representation": 0,
        "pixel_keyword": "PixelData",
        "pixel_vr": header.pixel_vr if header.is_big_endian else "OW",
    }
    codec = get_decoder(uid.ExplicitVRBigEndian if swapped else uid.ExplicitVRLittleEndian)
    padded = pixels + bytes(len(pixels) % 2)
    stored = codec.as_array(padded, index=0, raw=True, **options)[0]
    return _within_word(stored.astype(np.int64), header)


def _within_word(stored: np.ndarray, header: Header) -> np.ndarray:
    """The stored bits of each word, int64, with the declared sign (PS3.5 section 8.1.1)."""
    bits = header.integer("BitsStored", allocated_bits(header))
    shift = header.integer("HighBit", bits - 1) - bits + 1
    if 0 < shift <= allocated_bits(header) - bits and not header.encapsulated:
        stored = stored >> shift
    stored = stored & ((1 << bits) - 1)
    return as_signed(stored, bits) if header.is_signed else stored


def as_signed(stored: np.ndarray, bits: int) -> np.ndarray:
    """Whole numbers of so many bits, read as two's complement."""
    return stored - ((stored >> (bits - 1)) << bits)


def _unpacked(pixels: bytes, shape: tuple[int, int]) -> np.ndarray:
    count = math.prod(shape)
    packed = np.frombuffer(pixels + bytes(-len(pixels) % 3), np.uint8).reshape(-1, 3)
    low, middle, high = packed.astype(np.int64).T
    pairs = np.stack([low | (middle & 15) << 8, middle >> 4 | high << 4], axis=-1)
    return pairs.reshape(-1)[:count].reshape(shape)
