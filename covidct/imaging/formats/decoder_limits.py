"""What a picture's header may ask of its decoder; more is refused before a pixel is decoded.

The size of the picture alone bounds neither memory nor time: a TIFF tile may be far larger than
the picture it belongs to, and each scan of a progressive JPEG passes over all of it.
"""

from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH, TiffImageFile

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.formats.jpeg_2000 import check_codestream
from covidct.imaging.formats.pixels import MAX_CT_PIXELS
from covidct.imaging.formats.segments import scans
from covidct.messages import N_

MAX_SCANS = 64  # cameras and browsers write about ten
MAX_CHUNKS = 30_000  # of a PNG; the largest picture in pieces of 8 KB, as is usual, has 24,000
MAX_RUN_LENGTH_PIXELS = 2048**2  # which Pillow unpacks byte by byte

_PNG_SIGNATURE, _PNG_CHUNK = 8, 12  # bytes; a chunk's without its content
_TIFF_COMPRESSIONS = {
    "raw",
    "packbits",
    "tiff_lzw",
    "tiff_deflate",
    "tiff_adobe_deflate",
    "jpeg",
    "tiff_ccitt",
    "group3",
    "group4",
}


def check_structure(data: bytes, kind: str) -> None:
    """Refuse a picture in so many pieces that opening it takes out of all proportion.

    Args:
        data: the bytes of its file.
        kind: its format, such as "PNG".

    Raises:
        UnreadableSlice: it is.
    """
    if kind == "JPEG" and scans(data) > MAX_SCANS:
        raise UnreadableSlice(
            N_(
                "The JPEG file is drawn in more than {most} passes, which no slice needs; "
                "export it again.",
                most=MAX_SCANS,
            )
        )
    if kind == "PNG" and _has_more_chunks(data, MAX_CHUNKS):
        raise UnreadableSlice(
            N_(
                "The PNG file has more than {most:,} pieces, which slices never have. Export it "
                "again.",
                most=MAX_CHUNKS,
            )
        )


def _has_more_chunks(data: bytes, most: int) -> bool:
    at = _PNG_SIGNATURE
    for _ in range(most):
        if at >= len(data):
            return False
        at += _PNG_CHUNK + int.from_bytes(data[at : at + 4], "big")
    return True


def check_demands(image: Image, data: bytes) -> None:
    """Refuse a picture whose decoder would need memory or time out of all proportion.

    Args:
        image: opened, not yet loaded.
        data: the bytes of its file.

    Raises:
        UnreadableSlice: it asks for too much.
        UnsupportedEncoding: a TIFF in a compression that is not read.
        ValueError, struct.error: a JPEG 2000 picture asks for too much, or is damaged.
    """
    match image:
        case TiffImageFile():
            _check_tiff(image)
        case Jpeg2KImageFile():
            check_codestream(data)
        case BmpImageFile() if image.tile and image.tile[0].codec_name == "bmp_rle":
            if image.width * image.height > MAX_RUN_LENGTH_PIXELS:
                raise UnreadableSlice(
                    N_(
                        "The BMP file is packed in run lengths and larger than 4 megapixels; "
                        "export it uncompressed or as PNG."
                    )
                )


def _check_tiff(image: TiffImageFile) -> None:
    if image.info.get("compression") not in _TIFF_COMPRESSIONS:
        raise UnsupportedEncoding(
            N_(
                "The TIFF file is packed in a way that is not read; export it uncompressed or as "
                "PNG."
            )
        )
    width, height = (image.tag_v2.get(tag, 1) for tag in (TILEWIDTH, TILELENGTH))
    if width * height > MAX_CT_PIXELS:
        raise UnreadableSlice(
            N_(
                "The tiles of the TIFF file are too large: {width} × {height} pixels. Export it "
                "again.",
                width=width,
                height=height,
            )
        )
