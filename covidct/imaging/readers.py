"""Bytes of any readable format to a CTSlice that no longer shows which format it was."""

import os
import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.frames import read_dicom, read_dicom_hounsfield
from covidct.imaging.dicom.window import is_hounsfield, lung_window
from covidct.imaging.formats.decoder_limits import check_demands
from covidct.imaging.formats.pixels import (
    COLOURED,
    DECODING_ERRORS,
    FEWEST_COLOURED,
    MAX_BYTES,
    MAX_CT_PIXELS,
    check_size,
    check_values,
    ramp,
)
from covidct.imaging.formats.sniff import sniff
from covidct.imaging.sources import load
from covidct.messages import N_

# Opened directly: Image.open measures by a limit of its own, which is global. An MPO file (two
# views from a phone) is thereby read as the JPEG that it begins with.
_PLUGINS: dict[str, type[Any]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
}
_END_MARKS = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}
_SAMPLED = 512  # values a side that tell Hounsfield units; all of a large picture take much room
_HU_OFFSETS = (0, 32768, 1024)  # of plain values, of DeepLesion's PNG files, of stored CT
_GREY_MODES = ("1", "L", "LA")
_NUMERIC_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # by EXIF orientation
    2: np.fliplr,
    3: lambda values: np.rot90(values, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda values: np.rot90(values, -1),
    7: lambda values: np.rot90(values, 2).T,
    8: np.rot90,
}

# Pillow warns about odd metadata, which is not read here. Set once, since warnings.catch_warnings
# is not safe where several threads read.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


Source = bytes | str | os.PathLike[str]


def read_slice(source: Source, frame: int | None = None) -> CTSlice:
    """Read one CT slice, given as the bytes of a file or as a path to it.

    The format is told from the content. Transparency is dropped and the colour under it kept;
    colours become grey by ITU-R 601; whatever else was done stands in the slice's notes.

    Args:
        source: the file.
        frame: which frame of a DICOM file that holds several, from 0.

    Raises:
        UnreadableSlice: the bytes are not a slice that can be read; nothing else is raised.
    """
    data, kind = _sniffed(source)
    return read_dicom(data, frame) if kind == "DICOM" else _read_picture(data, kind)


def read_hounsfield(source: Source, frame: int | None = None) -> np.ndarray | None:
    """The Hounsfield units of a slice, int16 (H, W), to be viewed in any window.

    The network is never given them: it has a window of its own, in which `read_slice` reads.

    Returns:
        None where the file holds no Hounsfield units, such as any file but DICOM.

    Raises:
        UnreadableSlice: as for :func:`read_slice`.
    """
    data, kind = _sniffed(source)
    return read_dicom_hounsfield(data, frame) if kind == "DICOM" else None


def _sniffed(source: Source) -> tuple[bytes, str]:
    """The bytes of a file and its format."""
    data = bytes(source) if isinstance(source, bytes | bytearray | memoryview) else load(source)
    if len(data) > MAX_BYTES:
        raise UnreadableSlice(
            N_(
                "The file is larger than {most} MB; a single slice is far smaller.",
                most=MAX_BYTES // 1024**2,
            )
        )
    return data, sniff(data)


def _read_picture(data: bytes, kind: str) -> CTSlice:
    """A PNG, JPEG, TIFF or BMP picture as a slice."""
    try:
        image = _PLUGINS[kind](BytesIO(data))
        columns, rows = image.size
        check_size(rows, columns)
        if getattr(image, "is_animated", False):
            raise UnsupportedEncoding(
                N_(
                    "This {kind} file holds several pictures; save the slice of interest on its "
                    "own.",
                    kind=kind,
                )
            )
        check_demands(image, data)
        if kind == "JPEG" and _lacks_only_its_end(data):
            image = JpegImageFile(BytesIO(data + _END_MARKS["JPEG"]))
        values, colour_share, notes = _decode(image, data)
    except DECODING_ERRORS as error:
        raise UnreadableSlice(_damage(data, kind, error)) from error
    check_values(values)
    pixels, more_notes = _to_eight_bits(values) if values.dtype == np.uint8 else _deep(values)
    if ((pixels == pixels.min()) | (pixels == pixels.max())).all():
        more_notes += (N_("The image has only two grey levels."),)
    return CTSlice(pixels, None, kind, notes + more_notes, colour_share)


def _lacks_only_its_end(data: bytes) -> bool:
    """Whether a sequential JPEG has no end mark although all samples are there: what is put in
    the place of missing ones changes nothing then."""
    end, scan = _END_MARKS["JPEG"], b"\xff\xda"
    if data.rfind(end) > data.find(scan) or data.count(scan) != 1:
        return False
    whole = data.removesuffix(b"\xff")
    filled = [
        np.asarray(JpegImageFile(BytesIO(whole + tail + end)))
        for tail in (b"", b"\x55" * 64, b"\xaa" * 64)
    ]
    return all(np.array_equal(filled[0], other) for other in filled[1:])


def _decode(image: Image.Image, data: bytes) -> tuple[np.ndarray, float, tuple[str, ...]]:
    """Grey values (H, W) of the whole picture, upright and as deep as stored; share of colour."""
    image.info.pop("transparency", None)
    tags = dict(image.tag_v2) if isinstance(image, TiffImageFile) else {}
    deep = image.mode not in _NUMERIC_MODES and _bits(image, tags, data) == 16
    if deep:
        check_size(image.height, image.width, MAX_CT_PIXELS)
    image.load()
    colour_share = 0.0
    notes: tuple[str, ...] = ()
    if image.mode in _NUMERIC_MODES:
        values = np.asarray(image)
        if image.mode.startswith("I;16") and tags.get(PHOTOMETRIC_INTERPRETATION) == 0:
            values = 65535 - values  # white is zero, which Pillow minds in 8 bits only
    else:
        if image.mode not in _GREY_MODES:
            image = image if image.mode == "RGB" else image.convert("RGB")
            coloured = _coloured(image)
            colour_share = float(coloured.mean())
            if np.count_nonzero(coloured) >= FEWEST_COLOURED:
                notes = (N_("Colours, such as marks, were turned to grey."),)
        values = _deep_grey(data, image.size) if deep else np.asarray(image.convert("L"))
    orientation = tags.get(ExifTags.Base.Orientation, 1) if tags else _exif_orientation(image)
    already_upright = tags and not deep  # Pillow turns a TIFF picture as it loads
    turn = None if already_upright else _UPRIGHT.get(orientation)
    return (turn(values) if turn else values), colour_share, notes


def _bits(image: Image.Image, tags: dict[int, Any], data: bytes) -> int:
    """Bits a channel as stored; Pillow reads 16-bit colours as 8-bit without a word."""
    if image.format == "PNG":
        return data[24]  # of the header chunk, which comes first
    return max(tags.get(BITSPERSAMPLE, (8,)))


def _deep_grey(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """The 16-bit colours of a PNG or TIFF picture as grey, uint16 (H, W), not yet upright."""
    colours = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if colours is None or colours.dtype != np.uint16 or sorted(colours.shape[:2]) != sorted(size):
        raise ValueError("16-bit colours cannot be decoded")
    if colours.ndim == 2:
        raise ValueError("16-bit colours are none")
    alpha = colours.shape[2] == 4
    return cv2.cvtColor(colours, cv2.COLOR_BGRA2GRAY if alpha else cv2.COLOR_BGR2GRAY)


def _exif_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) where there is none or it is damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DECODING_ERRORS:
        return 1


def _coloured(picture: Image.Image) -> np.ndarray:
    """Where an RGB picture has visible colour, beyond what JPEG makes of greys: bool (H, W)."""
    red, green, blue = map(np.asarray, picture.split())
    brightest = cv2.max(cv2.max(red, green), blue)
    return brightest - cv2.min(cv2.min(red, green), blue) > COLOURED


def _deep(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Hounsfield units, plain or with an offset as data sets store them, in the lung window; other
    numbers as :func:`_to_eight_bits`."""
    step = max(1, max(values.shape) // _SAMPLED)
    sample = values[::step, ::step].astype(np.float64)
    for offset in _HU_OFFSETS:
        if sample.max() - offset > 255 and is_hounsfield(sample - offset):
            note = N_(
                "The values are Hounsfield units (offset {offset}): lung window for the network.",
                offset=offset,
            )
            return lung_window(values.astype(np.float32) - np.float32(offset)), (note,)
    return _to_eight_bits(values)


def _to_eight_bits(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers of any depth as uint8: those that were 8-bit once as they were, others stretched."""
    if values.dtype == np.uint8:
        return values, ()
    low, high = values.min(), values.max()
    for step in (1, 257, 256):
        if low >= 0 and high <= 255 * step and not (values % step).any():
            return (values // step).astype(np.uint8), ()
    depth = (
        N_("Floating-point")
        if values.dtype.kind == "f"
        else N_("{bits}-bit", bits=8 * values.dtype.itemsize)
    )
    note = N_(
        "{depth} image: its own range from {low:g} to {high:g} was stretched to 8 bits.",
        depth=depth,
        low=low,
        high=high,
    )
    return ramp(values, low, high), (note,)


def _damage(data: bytes, kind: str, error: Exception) -> str:
    """A sentence for a picture that could not be decoded."""
    cut = "truncated" in str(error).lower() or _END_MARKS.get(kind, b"") not in data[-64:]
    if cut:
        return N_(
            "The {kind} file is incomplete: it ends before the picture does. Copy it again.",
            kind=kind,
        )
    return N_(
        "The {kind} file is damaged, incomplete or of a variant that is not read; export it again.",
        kind=kind,
    )
