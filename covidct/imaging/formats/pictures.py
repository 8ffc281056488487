"""Pictures such as PNG and JPEG as CTSlices that no longer show which format they were."""

import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from PIL import ExifTags, Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.formats import jpeg_xl
from covidct.imaging.formats.decoder_limits import check_demands, check_structure
from covidct.imaging.formats.greys import greys_of
from covidct.imaging.formats.pixels import (
    COLOURED,
    DECODING_ERRORS,
    FEWEST_COLOURED,
    MAX_CT_PIXELS,
    MAX_PIXELS,
    check_size,
    check_values,
    too_large,
)
from covidct.messages import N_


def _open_heif(file: BytesIO) -> Image.Image:
    from pi_heif import HeifImageFile  # a library of its own, which few files need

    return HeifImageFile(file)


# Opened directly: Image.open measures by a limit of its own, which is global. An MPO file (two
# views from a phone) is thereby read as the JPEG that it begins with.
_OPENERS: dict[str, Callable[[BytesIO], Image.Image]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "BMP": BmpImageFile,
    "WebP": WebPImageFile,
    "AVIF": AvifImageFile,
    "HEIC": _open_heif,
    "JPEG 2000": Jpeg2KImageFile,
    "JPEG XL": jpeg_xl.open_picture,
}
# What decoders make copies of, so that 50 megapixels would take a gigabyte
_MOST_PIXELS = {"WebP": 25_000_000, "JPEG 2000": 25_000_000}
_ICON_KINDS = {"PNG", "JPEG", "BMP"}
_ICON_SIDE, _LARGEST_ICON = 128, 128 * 1024  # pixels, and bytes of so many with a profile
_END_MARKS = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}
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
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # check_size says more


def read_picture(data: bytes, kind: str) -> CTSlice:
    """A picture as a slice.

    Args:
        data: the bytes of a file.
        kind: its format, as :func:`covidct.imaging.formats.sniff.sniff` tells it.

    Raises:
        UnreadableSlice: damaged, incomplete, or of a refused size.
        UnsupportedEncoding: several pictures, or packed in a way that is not read.
    """
    try:
        check_structure(data, kind)
        image = _OPENERS[kind](BytesIO(data))
        check_size(image.height, image.width, _MOST_PIXELS.get(kind, MAX_PIXELS))
        if getattr(image, "is_animated", False):
            raise UnsupportedEncoding(
                N_(
                    "This {kind} file holds several pictures; save the slice of interest on its "
                    "own.",
                    kind=kind,
                )
            )
        if kind == "JPEG" and _lacks_only_its_end(data):
            data += _END_MARKS["JPEG"]
            image = JpegImageFile(BytesIO(data))
    except Image.DecompressionBombError as error:
        raise too_large() from error
    except DECODING_ERRORS as error:
        raise UnreadableSlice(damage(data, kind, error)) from error
    return slice_of(image, data, kind)


def is_thumbnail(data: bytes, kind: str) -> bool:
    """Whether a picture is as small as the icons that lie beside a CT, by its header alone."""
    if len(data) > _LARGEST_ICON or kind not in _ICON_KINDS:
        return False
    try:
        return max(_OPENERS[kind](BytesIO(data)).size) <= _ICON_SIDE
    except DECODING_ERRORS:
        return False


def slice_of(image: Image.Image, data: bytes, kind: str) -> CTSlice:
    """An opened picture, or a page of it, as a slice.

    Args:
        image: not yet loaded.
        data: the bytes of its file.
        kind: its format.

    Raises:
        UnreadableSlice: as for :func:`read_picture`.
    """
    try:
        check_size(image.height, image.width)
        check_demands(image, data)
        values, colour_share, notes = _decode(image, data)
    except DECODING_ERRORS as error:
        raise UnreadableSlice(damage(data, kind, error)) from error
    check_values(values)
    pixels, more_notes = greys_of(values)
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
    size = image.size
    image.load()
    if max(image.size) > max(size):
        raise ValueError("larger than its header says")
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
        if deep and image.tell():
            raise ValueError("only the first page is decoded so")
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


def damage(data: bytes, kind: str, error: Exception) -> str:
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
