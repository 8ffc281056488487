"""The elements of a DICOM object that a picture needs, read raw and without trust.

Only the elements in `TAGS` are ever converted, so that no patient data can reach a message or note.
"""

import logging
import math
import re
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

from pydicom import uid
from pydicom.filereader import data_element_generator

from covidct.errors import UnreadableSlice
from covidct.imaging.pixels import DECODING_ERRORS, MAX_BYTES

TAGS = {
    0x00080060: "Modality",
    0x00280002: "SamplesPerPixel",
    0x00280004: "PhotometricInterpretation",
    0x00280008: "NumberOfFrames",
    0x00280010: "Rows",
    0x00280011: "Columns",
    0x00280030: "PixelSpacing",
    0x00280100: "BitsAllocated",
    0x00280101: "BitsStored",
    0x00280103: "PixelRepresentation",
    0x00280120: "PixelPaddingValue",
    0x00280121: "PixelPaddingRangeLimit",
    0x00281050: "WindowCenter",
    0x00281051: "WindowWidth",
    0x00281052: "RescaleIntercept",
    0x00281053: "RescaleSlope",
    0x00281054: "RescaleType",
    0x00281056: "VOILUTFunction",
    0x7FE00010: "PixelData",
}
_TRANSFER_SYNTAX, _UNDEFINED = 0x00020010, 0xFFFFFFFF

# pydicom's warnings and log records may quote header values, patient data among them. Set once,
# since warnings.catch_warnings is not safe where several threads read.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")


@dataclass(frozen=True, slots=True)
class Header:
    """The raw elements of one object, by keyword, and how to read them."""

    raw: dict[str, bytes]
    syntax: uid.UID
    pixel_vr: str
    encapsulated: bool

    @property
    def byte_order(self) -> Literal["big", "little"]:
        """`big` or `little`, as `int.from_bytes` wants it."""
        return "big" if self.syntax == uid.ExplicitVRBigEndian else "little"

    def integer(self, keyword: str, default: int = 0, signed: bool = False) -> int:
        """A US or SS value."""
        value = self.raw.get(keyword, b"")[:2]
        return int.from_bytes(value, self.byte_order, signed=signed) if value else default

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """All values of a DS or IS element, or none at all if one of them is malformed."""
        try:
            values = tuple(float(part) for part in self.text(keyword).split("\\"))
        except ValueError:
            return ()
        return values if all(map(math.isfinite, values)) else ()

    def number(self, keyword: str) -> float | None:
        """The first value of a DS or IS element."""
        return next(iter(self.numbers(keyword)), None)

    def text(self, keyword: str) -> str:
        """A CS, LO or other text, without its padding."""
        return self.raw.get(keyword, b"").decode("latin-1").strip(" \0")


def is_dicom(data: bytes) -> bool:
    """Whether the bytes are DICOM: by the prefix of PS3.10 section 7.1 or, for a bare data set, by
    two plausible elements in a row at its start."""
    if data[128:132] == b"DICM" or data[:8] == b"\x02\0\0\0UL\x04\0":
        return True
    first = re.match(rb"\x08\0[\0-\x80]\0(?:[A-Z]{2}(..)|(..)\0\0)", data, re.DOTALL)
    if first is None:
        return False
    length = int.from_bytes(first[1] or first[2], "little")
    following = data[8 + length : 12 + length]
    return following[:2] == b"\x08\0" and following[2:4] != b"\0\0" and following[3:4] == b"\0"


def read_header(data: bytes) -> Header:
    """Read the elements in `TAGS`, with or without preamble and meta information.

    Raises:
        UnreadableSlice: damaged, incomplete, or unpacking to more than `MAX_BYTES`.
    """
    stream = BytesIO(data)
    stream.seek(132 if data[128:132] == b"DICM" else 0)
    try:
        meta = data_element_generator(stream, False, True, stop_when=lambda tag, *_: tag.group != 2)
        syntaxes = [e.value for e in meta if e.tag == _TRANSFER_SYNTAX and e.value]
        name = syntaxes[0].decode("ascii") if syntaxes else uid.ExplicitVRLittleEndian
        syntax = uid.UID(name.strip(" \0"))
        body = data[stream.tell() :]
        if syntax == uid.DeflatedExplicitVRLittleEndian:
            body = _inflate(body)
        # The data set itself shows whether it has explicit VRs; the meta information may be absent.
        elements = data_element_generator(
            BytesIO(body),
            is_implicit_VR=not re.match(rb"[A-Z]{2}", body[4:6]),
            is_little_endian=syntax != uid.ExplicitVRBigEndian,
            specific_tags=list(TAGS),
        )
        found = {TAGS[e.tag]: e for e in elements if e.tag in TAGS}
        raw = {keyword: bytes(element.value or b"") for keyword, element in found.items()}
    except DECODING_ERRORS as error:
        raise UnreadableSlice(
            "The DICOM file is damaged or incomplete; copy or export it again."
        ) from error
    pixels = found.get("PixelData")
    encapsulated = getattr(pixels, "length", None) == _UNDEFINED
    return Header(raw, syntax, (pixels and pixels.VR) or "OW", encapsulated)


def _inflate(body: bytes) -> bytes:
    """Undo the raw deflate of PS3.5 section A.5, up to `MAX_BYTES`."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(body, MAX_BYTES)
    if inflater.unconsumed_tail:
        raise UnreadableSlice(
            f"The DICOM file unpacks to more than {MAX_BYTES // 1024**2} MB; upload a single slice."
        )
    return inflated
