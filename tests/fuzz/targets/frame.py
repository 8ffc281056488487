"""A compressed frame in a sound DICOM file; the first byte chooses the compression."""

import struct
from contextlib import suppress
from io import BytesIO

from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from covidct.errors import CovidCTError
from covidct.imaging import read_slice

SIDE = 64
SYNTAXES = (
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000,
    uid.HTJ2K,
)
_PIXEL_DATA = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"


def in_dicom(frame: bytes, syntax: uid.UID) -> bytes:
    """A file of one frame of 64 × 64 pixels, whatever the bytes of the frame are."""
    frame += bytes(len(frame) % 2)
    items = _ITEM + bytes(4) + _ITEM + struct.pack("<I", len(frame)) + frame
    return _HEADERS[syntax] + _PIXEL_DATA + items + _END


def _header(syntax: uid.UID) -> bytes:
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = uid.CTImageStorage, "1.2.3"
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows = header.Columns = SIDE
    header.BitsAllocated = header.BitsStored = 8 if syntax == uid.JPEGBaseline8Bit else 16
    header.PixelRepresentation = 0
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    file = BytesIO()
    header.save_as(file, enforce_file_format=True)
    return file.getvalue()


_HEADERS = {syntax: _header(syntax) for syntax in SYNTAXES}


def target(data: bytes) -> None:
    syntax = SYNTAXES[data[0] % len(SYNTAXES)] if data else SYNTAXES[0]
    with suppress(CovidCTError):
        read_slice(in_dicom(data[1:], syntax))
