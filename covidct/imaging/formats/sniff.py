"""What a file is, told from its first bytes and never from its name."""

import re

from covidct.errors import UnreadableSlice
from covidct.imaging.dicom.header import is_dicom
from covidct.imaging.formats import jpeg_xl
from covidct.imaging.formats.nifti import is_nifti
from covidct.messages import N_, Message, joined

_PICTURES = {
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "WebP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "AVIF": re.compile(rb".{4}ftypavi", re.DOTALL),
    "HEIC": re.compile(rb".{4}ftyp(?:hei|hev|mif1|msf1)", re.DOTALL),
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "JPEG XL": jpeg_xl.STARTS,
    "BMP": re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
}
_OTHERS = {
    N_("a PDF file"): re.compile(rb"%PDF-"),
    N_("a GIF image"): re.compile(rb"GIF8[79]a"),
    N_("an AVI film"): re.compile(rb"RIFF.{4}AVI ", re.DOTALL),
    N_("a QuickTime or MP4 film"): re.compile(rb".{4}ftyp", re.DOTALL),
    N_("a Matroska or WebM film"): re.compile(rb"\x1aE\xdf\xa3"),
    N_("a Photoshop file"): re.compile(rb"8BPS"),
    N_("a NIfTI header without its voxels (.hdr)"): re.compile(
        rb".{344}ni1\0|.{4}ni2\0", re.DOTALL
    ),
    N_("an NRRD volume"): re.compile(rb"NRRD000"),
    N_("a MetaImage volume"): re.compile(rb"ObjectType\s*=|NDims\s*="),
    N_("a gzip archive"): re.compile(rb"\x1f\x8b"),
    N_("a ZIP archive or Office document"): re.compile(rb"PK(?:\x03\x04|\x05\x06)"),
    N_("a 7-Zip archive"): re.compile(rb"7z\xbc\xaf\x27\x1c"),
    N_("a RAR archive"): re.compile(rb"Rar!\x1a\x07"),
    N_("a NumPy array"): re.compile(rb"\x93NUMPY"),
    N_("an HDF5 file"): re.compile(rb"\x89HDF\r\n\x1a\n"),
    N_("an SVG drawing"): re.compile(rb"\s*(?:<\?xml.{0,900})?(?:<!--.{0,900})?<svg", re.DOTALL),
    N_("a web page"): re.compile(rb"\s*<(?:!doctype\s+html|html)", re.IGNORECASE),
}
READABLE = "PNG, JPEG, TIFF, WebP, HEIC, NIfTI or DICOM"


def sniff(data: bytes) -> str:
    """The name of the readable format, such as "DICOM", "NIfTI" or "PNG".

    Raises:
        UnreadableSlice: anything else, named where it is known.
    """
    if not data:
        raise UnreadableSlice(N_("The file is empty."))
    if is_dicom(data):
        return "DICOM"
    if is_nifti(data):
        return "NIfTI"
    for name, magic in _PICTURES.items():
        if magic.match(data):
            return name
    raise UnreadableSlice(
        joined(_describe(data), N_("Upload a CT slice as {formats}.", formats=READABLE))
    )


def _describe(data: bytes) -> Message:
    """What the bytes are."""
    for name, magic in _OTHERS.items():
        if magic.match(data):
            return N_("This is {kind}, which is not read here.", kind=name)
    if _is_text(data[:4096]):
        return N_("This is a text file, not an image.")
    return N_("This is not an image in a format that is known here, or its beginning is damaged.")


def _is_text(sample: bytes) -> bool:
    """Whether bytes are text: UTF-8 or marked UTF-16, without control characters."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        text = sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 3:  # a character cut off at the sample's end is no evidence
            return False
        text = sample[: error.start].decode("utf-8")
    return not re.search(r"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]", text)
