"""One single-frame grey DICOM object as a CTSlice."""

import math
from io import BytesIO
from typing import Any

import numpy as np
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import Decoder

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom_header import Header, read_header
from covidct.imaging.pixels import DECODING_ERRORS, check_size, check_values
from covidct.imaging.window import show

_JP2_SIGNATURE = b"\0\0\0\x0cjP  "
MAX_RLE_BYTES = 16 * 1024**2  # decoded by a Python loop, and may grow sixty-fold


def read_dicom(data: bytes) -> CTSlice:
    """Read one DICOM slice.

    Raises:
        UnreadableSlice: damaged, incomplete, without pixels, or of a refused size.
        UnsupportedEncoding: several frames, colour, or a compression that cannot be read here.
    """
    header = read_header(data)
    _refuse_unsupported(header)
    stored = _stored_values(header)
    shown = ~_padding(stored, header)
    values = _rescale(stored, header)
    check_values(values[shown])
    greys, notes = show(values, shown, header)
    greys[~shown] = 0
    spacing = header.numbers("PixelSpacing")
    known = len(spacing) == 2 and min(spacing) > 0
    return CTSlice(greys, (spacing[0], spacing[1]) if known else None, "DICOM", notes)


def _refuse_unsupported(header: Header) -> None:
    """Everything that can be refused before decoding."""
    if not header.raw.get("PixelData"):
        raise UnreadableSlice(
            "This DICOM file holds no pixel data: it is a report, a plan or an index. "
            "Upload the image itself."
        )
    frames = header.number("NumberOfFrames") or 1
    if frames > 1:
        raise UnsupportedEncoding(
            f"This DICOM file holds {frames:.0f} frames; export the slice of interest on its own."
        )
    photometric = header.text("PhotometricInterpretation") or "MONOCHROME2"
    if header.integer("SamplesPerPixel", 1) != 1 or not photometric.startswith("MONOCHROME"):
        raise UnsupportedEncoding(
            "This DICOM file holds a colour image; upload the original grey CT slice."
        )
    check_size(header.integer("Rows"), header.integer("Columns"))


def _stored_values(header: Header) -> np.ndarray:
    """Stored values, int (H, W), encoded as in PS3.5 section 8."""
    rows, columns = header.integer("Rows"), header.integer("Columns")
    bits = header.integer("BitsAllocated", 16)
    pixels, needed = header.raw["PixelData"], math.ceil(rows * columns * bits / 8)
    options: dict[str, Any] = {
        "rows": rows,
        "columns": columns,
        "samples_per_pixel": 1,
        "number_of_frames": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": bits,
        "bits_stored": header.integer("BitsStored", bits),
        "pixel_representation": header.integer("PixelRepresentation"),
        "pixel_keyword": "PixelData",
        "pixel_vr": header.pixel_vr,
    }
    try:
        codec = _codec(header)
        if header.encapsulated:
            pixels = encapsulate([_safe_frame(pixels, codec.UID, (columns, rows))])
        else:
            _check_length(len(pixels), needed)
            pixels = pixels[: needed + needed % 2]
        stored, _ = codec.as_array(pixels, index=0, raw=True, **options)
    except DECODING_ERRORS as error:
        raise UnreadableSlice(
            "The pixel data of the DICOM file are damaged or incomplete; copy or export it again."
        ) from error
    return stored


def _codec(header: Header) -> Decoder:
    """pydicom's decoder for the pixel data, which must be one that works here."""
    if not header.encapsulated:
        big = header.syntax == uid.ExplicitVRBigEndian
        return get_decoder(uid.ExplicitVRBigEndian if big else uid.ExplicitVRLittleEndian)
    try:
        codec = get_decoder(header.syntax)
    except NotImplementedError:
        codec = None
    twelve_bit_jpeg = header.syntax == uid.JPEGExtended12Bit and header.integer("BitsStored") > 8
    if codec is None or codec.is_native or not codec.is_available or twelve_bit_jpeg:
        known = header.syntax.name != header.syntax and not (codec and codec.is_native)
        raise UnsupportedEncoding(
            f"The DICOM file uses {header.syntax.name if known else 'an unknown compression'}, "
            "which cannot be read here. "
            "Export it uncompressed (Explicit VR Little Endian)."
        )
    return codec


def _check_length(actual: int, needed: int) -> None:
    """Refuse native pixel data that are cut off, or that hide further frames."""
    if actual < needed:
        raise UnreadableSlice(
            f"The DICOM file is incomplete: only {actual} of {needed} bytes of pixel data are "
            "there. Copy or export it again."
        )
    if actual >= 2 * needed > 0:
        raise UnsupportedEncoding(
            "This DICOM file holds more frames than it declares; export the slice on its own."
        )


def _safe_frame(pixels: bytes, syntax: uid.UID, size: tuple[int, int]) -> bytes:
    """The compressed frame, unless it would decode to something larger than the header declares."""
    frame = get_frame(pixels, 0, number_of_frames=1)
    if frame.startswith(_JP2_SIGNATURE):  # not conformant, and a box of no length hangs pydicom
        frame = frame[frame.index(b"jp2c") + 4 :]
    if syntax == uid.RLELossless:
        too_large = len(frame) > MAX_RLE_BYTES
    else:
        jpeg = syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)
        plugin = JpegImageFile if jpeg else Jpeg2KImageFile
        too_large = plugin(BytesIO(frame)).size != size
    if too_large:
        raise UnreadableSlice(
            "The compressed picture in the DICOM file is not of the size that its header declares."
        )
    return frame


def _padding(stored: np.ndarray, header: Header) -> np.ndarray:
    """Where the scanner stored no measurement, bool (H, W) (PS3.3 section C.7.5.1.1.2)."""
    signed = header.integer("PixelRepresentation") == 1
    keywords = ("PixelPaddingValue", "PixelPaddingRangeLimit")
    ends = [header.integer(k, signed=signed) for k in keywords if header.raw.get(k)]
    if not ends:
        return np.zeros(stored.shape, dtype=bool)
    return (stored >= min(ends)) & (stored <= max(ends))


def _rescale(stored: np.ndarray, header: Header) -> np.ndarray:
    """Modality values, float64 (H, W) (PS3.3 section C.11.1); a malformed rescale is left out."""
    slope, intercept = header.number("RescaleSlope") or 1.0, header.number("RescaleIntercept")
    with np.errstate(over="ignore"):
        return stored * np.float64(slope) + (intercept or 0.0)
