"""Frames of grey DICOM objects as CTSlices."""

import math
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.compression import READ, decompress
from covidct.imaging.dicom.header import Header, read_header
from covidct.imaging.dicom.orientation import TURNED, Turn, upright
from covidct.imaging.dicom.window import is_hounsfield, look_up, show
from covidct.imaging.formats.pixels import DECODING_ERRORS, MAX_CT_PIXELS, check_size, check_values
from covidct.messages import N_

MAX_FRAMES = 5000
BELOW_ANY_WINDOW = -32768  # stands for padding among Hounsfield units


def read_dicom(data: bytes, frame: int | None = None) -> CTSlice:
    """Read one DICOM slice.

    Args:
        data: the bytes of a file.
        frame: which frame of several, from 0; None where there must be only one.

    Raises:
        UnreadableSlice: damaged, incomplete, without pixels, or of a refused size.
        UnsupportedEncoding: several frames, colour, or a compression that cannot be read here.
    """
    return frame_slice(*_chosen(data, frame))


def read_dicom_hounsfield(data: bytes, frame: int | None = None) -> np.ndarray | None:
    """The Hounsfield units of a DICOM slice, as :func:`frame_hounsfield` gives them.

    Raises:
        UnreadableSlice: as for :func:`read_dicom`.
    """
    return frame_hounsfield(*_chosen(data, frame))


def frame_slice(header: Header, index: int) -> CTSlice:
    """One frame, from 0, of an object whose header has been read, turned upright.

    Raises:
        UnreadableSlice: as for :func:`read_dicom`.
    """
    values, shown = _values(header, index)
    header = header.of_frame(index)
    turn = upright(header)
    greys, notes = show(values, shown, header)
    greys[~shown] = 0
    spacing = header.numbers("PixelSpacing")[:: -1 if turn.transposed else 1]
    known = len(spacing) == 2 and min(spacing) > 0
    return CTSlice(
        np.ascontiguousarray(turn.of(greys)),
        (spacing[0], spacing[1]) if known else None,
        "DICOM",
        notes if turn == Turn() else (*notes, TURNED),
    )


def frame_hounsfield(header: Header, index: int) -> np.ndarray | None:
    """The Hounsfield units of one frame, int16 (H, W), for a person to view in any window.

    Turned upright as :func:`frame_slice`. Padding is `BELOW_ANY_WINDOW`. None where the values
    cannot be Hounsfield units.

    Raises:
        UnreadableSlice: as for :func:`read_dicom`.
    """
    values, shown = _values(header, index)
    if not is_hounsfield(values[shown], header.of_frame(index).rescale_type):
        return None
    limits = np.iinfo(np.int16)
    rounded = np.rint(np.clip(values, limits.min, limits.max)).astype(np.int16)
    stored = np.where(shown, rounded, np.int16(BELOW_ANY_WINDOW))
    return np.ascontiguousarray(upright(header.of_frame(index)).of(stored))


def frame_bytes(header: Header, index: int) -> bytes:
    """The pixel data of one frame, from 0, as they are stored.

    Raises:
        UnreadableSlice: no picture, a colour picture, or cut off.
    """
    _refuse_unsupported(header)
    pixels = header.raw["PixelData"]
    if not header.encapsulated:
        needed = _frame_length(header)
        _check_length(len(pixels), needed, header.frames)
        return pixels[index * needed : (index + 1) * needed]
    offsets = header.raw.get("ExtendedOffsetTable")
    lengths = header.raw.get("ExtendedOffsetTableLengths")
    try:
        return get_frame(
            pixels,
            index,
            extended_offsets=(offsets, lengths) if offsets and lengths else None,
            number_of_frames=header.frames,
        )
    except DECODING_ERRORS as error:
        raise _damaged() from error


def _chosen(data: bytes, frame: int | None) -> tuple[Header, int]:
    """The header of a file and the number of the frame that is meant, from 0."""
    header = read_header(data)
    _refuse_unsupported(header)
    if frame is None and header.frames > 1:
        raise UnsupportedEncoding(
            N_(
                "This DICOM file holds {frames} frames; open it as a series, or name a frame.",
                frames=header.frames,
            )
        )
    if frame is not None and not 0 <= frame < header.frames:
        raise UnreadableSlice(
            N_("The file has no such frame: it holds {frames}.", frames=header.frames)
        )
    return header, frame or 0


def _refuse_unsupported(header: Header) -> None:
    """Everything that can be refused before decoding."""
    if not header.raw.get("PixelData"):
        raise UnreadableSlice(
            N_(
                "This DICOM file holds no pixel data: it is a report, a plan or an index. Upload "
                "the image itself."
            )
        )
    photometric = header.text("PhotometricInterpretation") or "MONOCHROME2"
    if header.integer("SamplesPerPixel", 1) != 1 or not photometric.startswith("MONOCHROME"):
        raise UnsupportedEncoding(
            N_("This DICOM file holds a colour image; upload the original grey CT slice.")
        )
    check_size(header.integer("Rows"), header.integer("Columns"), MAX_CT_PIXELS)
    if header.frames > MAX_FRAMES:
        raise UnreadableSlice(
            N_(
                "This DICOM file claims {frames:,} frames; at most {most:,} are read.",
                frames=header.frames,
                most=MAX_FRAMES,
            )
        )
    native = (*uid.UncompressedTransferSyntaxes, uid.DeflatedExplicitVRLittleEndian)
    if header.encapsulated and header.syntax not in READ:
        known = header.syntax.name != header.syntax and header.syntax not in native
        raise UnsupportedEncoding(
            N_(
                "The DICOM file uses {compression}, which cannot be read here. Export it "
                "uncompressed (Explicit VR Little Endian).",
                compression=header.syntax.name if known else N_("an unknown compression"),
            )
        )


def _values(header: Header, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Modality values of a frame, float64 (H, W), and where they are measurements, bool (H, W)."""
    pixels = frame_bytes(header, index)
    header = header.of_frame(index)
    try:
        stored = (_decompressed if header.encapsulated else _native)(pixels, header)
    except DECODING_ERRORS as error:
        raise _damaged() from error
    shown = ~_padding(stored, header)
    values = _rescale(stored, header)
    check_values(values[shown])
    return values, shown


def _native(pixels: bytes, header: Header) -> np.ndarray:
    """Stored values, int (H, W), encoded as in PS3.5 section 8."""
    bits = header.integer("BitsAllocated", 16)
    options: dict[str, Any] = {
        "rows": header.integer("Rows"),
        "columns": header.integer("Columns"),
        "samples_per_pixel": 1,
        "number_of_frames": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": bits,
        "bits_stored": header.integer("BitsStored", bits),
        "pixel_representation": header.integer("PixelRepresentation"),
        "pixel_keyword": "PixelData",
        "pixel_vr": header.pixel_vr,
    }
    big = header.syntax == uid.ExplicitVRBigEndian
    codec = get_decoder(uid.ExplicitVRBigEndian if big else uid.ExplicitVRLittleEndian)
    padded = pixels + bytes(len(pixels) % 2)
    return codec.as_array(padded, index=0, raw=True, **options)[0]


def _decompressed(pixels: bytes, header: Header) -> np.ndarray:
    """Stored values, int64 (H, W), of a compressed frame, with the declared sign."""
    shape = header.integer("Rows"), header.integer("Columns")
    allocated = header.integer("BitsAllocated", 16)
    bits = header.integer("BitsStored", allocated)
    stored = decompress(pixels, header.syntax, shape, allocated).astype(np.int64)
    stored &= (1 << bits) - 1
    if header.is_signed:
        stored -= (stored >> (bits - 1)) << bits
    return stored


def _frame_length(header: Header) -> int:
    pixels = header.integer("Rows") * header.integer("Columns")
    return math.ceil(pixels * header.integer("BitsAllocated", 16) / 8)


def _check_length(actual: int, frame: int, frames: int) -> None:
    """Refuse native pixel data that are cut off, or that hide further frames."""
    if not frame:
        raise _damaged()
    if actual < frame * frames:
        raise UnreadableSlice(
            N_(
                "The DICOM file is incomplete: only {actual} of {needed} bytes of pixel data are "
                "there. Copy or export it again.",
                actual=actual,
                needed=frame * frames,
            )
        )
    if actual >= frame * (frames + 1):
        raise UnsupportedEncoding(
            N_("This DICOM file holds more frames than it declares; export the slice on its own.")
        )


def _damaged() -> UnreadableSlice:
    return UnreadableSlice(
        N_("The pixel data of the DICOM file are damaged or incomplete; copy or export it again.")
    )


def _padding(stored: np.ndarray, header: Header) -> np.ndarray:
    """Where the scanner stored no measurement, bool (H, W) (PS3.3 section C.7.5.1.1.2)."""
    keywords = ("PixelPaddingValue", "PixelPaddingRangeLimit")
    ends = [header.integer(k, signed=header.is_signed) for k in keywords if header.raw.get(k)]
    if not ends:
        return np.zeros(stored.shape, dtype=bool)
    return (stored >= min(ends)) & (stored <= max(ends))


def _rescale(stored: np.ndarray, header: Header) -> np.ndarray:
    """Modality values, float64 (H, W) (PS3.3 section C.11.1); a malformed rescale is left out."""
    looked_up = look_up(stored, header, "ModalityLUTSequence", header.is_signed)
    if looked_up is not None:
        return looked_up
    slope, intercept = header.number("RescaleSlope") or 1.0, header.number("RescaleIntercept")
    with np.errstate(over="ignore"):
        return stored * np.float64(slope) + (intercept or 0.0)
