"""The elements of a DICOM object that a picture needs, read raw and without trust.

Only the elements in `TAGS` are ever converted, so that nothing that identifies a patient can reach
a message or note. Of PatientID a digest is kept, which tells patients apart.
"""

import logging
import math
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from itertools import islice
from typing import Literal

import numpy as np
from pydicom import uid
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator, read_sequence

from covidct.errors import UnreadableSlice
from covidct.imaging.dicom.fragments import Parts, frame_parts
from covidct.imaging.formats.pixels import DECODING_ERRORS, MAX_BYTES
from covidct.messages import N_
from covidct.zip_files import MAX_RATIO

TAGS = {
    0x00080008: "ImageType",
    0x00080016: "SOPClassUID",
    0x00080018: "SOPInstanceUID",
    0x00080060: "Modality",
    0x00080070: "Manufacturer",
    0x00081090: "ManufacturerModelName",
    0x00089007: "ImageType",  # FrameType, its namesake for one frame
    0x00100020: "PatientID",
    0x00100040: "PatientSex",
    0x00101010: "PatientAge",
    0x00180050: "SliceThickness",
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
    0x00200011: "SeriesNumber",
    0x00200013: "InstanceNumber",
    0x00200032: "ImagePositionPatient",
    0x00200037: "ImageOrientationPatient",
    0x00200052: "FrameOfReferenceUID",
    0x00280002: "SamplesPerPixel",
    0x00280004: "PhotometricInterpretation",
    0x00280006: "PlanarConfiguration",
    0x00280008: "NumberOfFrames",
    0x00280010: "Rows",
    0x00280011: "Columns",
    0x00280030: "PixelSpacing",
    0x00280100: "BitsAllocated",
    0x00280101: "BitsStored",
    0x00280102: "HighBit",
    0x00280103: "PixelRepresentation",
    0x00280120: "PixelPaddingValue",
    0x00280121: "PixelPaddingRangeLimit",
    0x00281050: "WindowCenter",
    0x00281051: "WindowWidth",
    0x00281052: "RescaleIntercept",
    0x00281053: "RescaleSlope",
    0x00281054: "RescaleType",
    0x00281056: "VOILUTFunction",
    0x00282110: "LossyImageCompression",
    0x00282112: "LossyImageCompressionRatio",
    0x00282114: "LossyImageCompressionMethod",
    0x00283000: "ModalityLUTSequence",
    0x00283002: "LUTDescriptor",
    0x00283004: "ModalityLUTType",
    0x00283006: "LUTData",
    0x00283010: "VOILUTSequence",
    0x52009229: "SharedFunctionalGroupsSequence",
    0x52009230: "PerFrameFunctionalGroupsSequence",
    0x7FE00001: "ExtendedOffsetTable",
    0x7FE00002: "ExtendedOffsetTableLengths",
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
    # the functional groups that say of a frame what is else said of a file
    0x00189329: "CTImageFrameTypeSequence",
    0x00209113: "PlanePositionSequence",
    0x00209116: "PlaneOrientationSequence",
    0x00289110: "PixelMeasuresSequence",
    0x00289132: "FrameVOILUTSequence",
    0x00289145: "PixelValueTransformationSequence",
}
_TRANSFER_SYNTAX, _UNDEFINED = 0x00020010, 0xFFFFFFFF
_PIXELS = {"PixelData": 0, "FloatPixelData": 4, "DoubleFloatPixelData": 8}  # bytes of a float
_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"  # of fragments
_LONGEST_TABLE = 1024**2  # the longest look-up table takes an eighth of it
_LONGEST_VALUE = 4096  # of all but tables and pixels; numbers have 16 characters, names 64
_TABLES = {"LUTData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"}
_MOST_READ = 64 * 1024**2  # bytes of the header, those of nested sequences once for each level
_MOST_TIMES = 300_000  # three for an element of a sequence; enhanced CT take sixty for a frame
_MOST_ITEMS = 100_000  # of sequences and of fragments: twenty for each frame that is allowed
_META_START = re.compile(rb"\x02\0[\0-\x20]\0(?:UL|OB|UI|SH|AE)")
_SET_STARTS: tuple[tuple[re.Pattern[bytes], Literal["little", "big"]], ...] = (
    (re.compile(rb"\x08\0[\0-\x80]\0(?:[A-Z]{2}(..)|(..)\0\0)", re.DOTALL), "little"),
    (re.compile(rb"\0\x08\0[\0-\x80](?:[A-Z]{2}(..)|\0\0(..))", re.DOTALL), "big"),
)
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # as stored, in either byte order
_ITEM_BYTES = 8  # tag and length, at least

# pydicom's warnings and log records may quote header values, patient data among them. Set once,
# since warnings.catch_warnings is not safe where several threads read.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")


@dataclass(frozen=True)
class Header:
    """The raw elements of one object or sequence item, by keyword, and how to read them.

    Attributes:
        raw: values by keyword; PixelData also holds those of FloatPixelData and its double.
        syntax: the transfer syntax that the file names; of its pixels the codestream says more.
        is_big_endian: the byte order that the data set shows, whatever the file names.
        pixel_vr: OB or OW.
        encapsulated: whether the pixels lie in fragments.
        float_bytes: of a floating-point pixel; 0 where pixels are whole numbers.
        items: of sequences.
    """

    raw: dict[str, bytes]
    syntax: uid.UID
    is_big_endian: bool = False
    pixel_vr: str = "OW"
    encapsulated: bool = False
    float_bytes: int = 0
    items: dict[str, tuple["Header", ...]] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Number of frames; 1 where nothing sensible is said."""
        return max(1, int(self.number("NumberOfFrames") or 1))

    def of_frame(self, index: int) -> "Header":
        """The header of one frame: what its functional groups say, else what the file says.

        Enhanced objects hold position, orientation, rescale and window of each frame in nested
        sequences (PS3.3 section C.7.6.16); their elements are here as in a single-frame object.
        """
        shared = self.items.get("SharedFunctionalGroupsSequence", ())[:1]
        own = self.items.get("PerFrameFunctionalGroupsSequence", ())[index : index + 1]
        groups = [macro for group in shared + own for macro in group.items.values()]
        raw, items = dict(self.raw), dict(self.items)
        for item in (macro[0] for macro in groups if macro):
            raw |= item.raw
            items |= item.items
        return replace(self, raw=raw, items=items)

    def without_pixels(self) -> "Header":
        """The same header without the element that takes the memory."""
        return replace(self, raw={k: v for k, v in self.raw.items() if k != "PixelData"})

    @cached_property
    def compressed_frames(self) -> Sequence[Parts]:
        """The fragments of each frame.

        Raises:
            ValueError, struct.error: the pixel data are damaged, or in no fragments.
        """
        tables = (self.raw.get(f"ExtendedOffsetTable{kind}", b"") for kind in ("", "Lengths"))
        return frame_parts(self.raw["PixelData"], self.frames, *tables)

    @property
    def byte_order(self) -> Literal["big", "little"]:
        """`big` or `little`, as `int.from_bytes` wants it."""
        return "big" if self.is_big_endian else "little"

    @property
    def is_signed(self) -> bool:
        """Whether stored values may be below zero."""
        return self.integer("PixelRepresentation") == 1

    @property
    def rescale_type(self) -> str:
        """The quantity that modality values are of, where it is named."""
        tables = self.items.get("ModalityLUTSequence")
        return tables[0].text("ModalityLUTType") if tables else self.text("RescaleType")

    def integer(self, keyword: str, default: int = 0, signed: bool = False) -> int:
        """A US or SS value."""
        value = self.raw.get(keyword, b"")[:2]
        return int.from_bytes(value, self.byte_order, signed=signed) if value else default

    def integers(self, keyword: str, signed: bool = False, size: int = 2) -> list[int]:
        """All values of a US, SS or OW element, or of one with so many bytes a value."""
        kind = f"{'>' if self.byte_order == 'big' else '<'}{'i' if signed else 'u'}{size}"
        value = self.raw.get(keyword, b"")
        return np.frombuffer(value[: len(value) // size * size], kind).tolist()

    def numbers(self, keyword: str, count: int) -> tuple[float, ...]:
        """The values of a DS or IS element; none at all if there are more or fewer than so many,
        or one of them is malformed."""
        parts = self.text(keyword).split("\\", count)
        values = tuple(v for v in map(_number, parts[:count]) if v is not None)
        return values if len(values) == len(parts) == count else ()

    def number(self, keyword: str) -> float | None:
        """The first value of a DS or IS element; None where it is malformed."""
        return _number(self.text(keyword).partition("\\")[0])

    def text(self, keyword: str) -> str:
        """A CS, LO or other text, without its padding."""
        return self.raw.get(keyword, b"").decode("latin-1").strip(" \0")


def _number(text: str) -> float | None:
    """A comma is legal nowhere in DS and IS (PS3.5 section 6.2), so it is a decimal point."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_dicom(data: bytes) -> bool:
    """Whether the bytes are DICOM: by the prefix of PS3.10 section 7.1 or, without preamble, by
    an element of the meta information or two plausible elements of the data set at the start."""
    if data[128:132] == b"DICM" or data[:4] == b"DICM" or _META_START.match(data):
        return True
    for pattern, order in _SET_STARTS:
        first = pattern.match(data)
        if first:
            length = int.from_bytes(first[1] or first[2], order)
            following = data[8 + length : 12 + length]
            group, element = (int.from_bytes(following[i : i + 2], order) for i in (0, 2))
            return group == 8 and 0 < element < 0x100
    return False


def read_header(data: bytes) -> Header:
    """Read the elements in `TAGS`, with or without preamble and meta information.

    What follows the pixels is not read, and the mark that ends their fragments may be missing.

    Raises:
        UnreadableSlice: damaged, incomplete, unpacking to more than `MAX_BYTES`, or with longer
            values, deeper sequences or more items than slices have.
    """
    stream, allowance = BytesIO(data), _Allowance()
    prefix = data.find(b"DICM", 0, 132)
    stream.seek(prefix + 4 if prefix in (0, 128) else 0)
    try:
        beginning = allowance.of(stream)
        meta = data_element_generator(
            beginning, False, True, stop_when=lambda tag, *_: tag.group != 2
        )
        syntaxes = [e.value for e in meta if e.tag == _TRANSFER_SYNTAX and e.value]
        stream.seek(beginning.tell())
        name = syntaxes[0].decode("ascii") if syntaxes else uid.ExplicitVRLittleEndian
        syntax = uid.UID(name.strip(" \0"))
        if syntax == uid.DeflatedExplicitVRLittleEndian:
            stream = BytesIO(_inflate(data[stream.tell() :]))
        if _has_too_many_items(stream.getvalue()):
            raise UnreadableSlice(
                N_(
                    "The DICOM file has more than {most:,} sequence items, which slices never "
                    "have. Export the series as single images.",
                    most=_MOST_ITEMS,
                )
            )
        return _data_set(stream, syntax, allowance)
    except DECODING_ERRORS as error:
        if allowance.is_spent:
            raise UnreadableSlice(
                N_(
                    "The DICOM file has a header of a length or depth which slices never have. "
                    "Export it again."
                )
            ) from error
        raise UnreadableSlice(
            N_("The DICOM file is damaged or incomplete; copy or export it again.")
        ) from error


def _has_too_many_items(data: bytes) -> bool:
    """Whether there are more than `_MOST_ITEMS`, each of which takes eight bytes: in a file as
    short as that of one slice they need not be counted, which would take as long as reading it."""
    if len(data) <= _MOST_ITEMS * _ITEM_BYTES:
        return False
    return max(map(data.count, _ITEM_TAGS)) > _MOST_ITEMS


class _Allowance:
    """How much of a header may still be read. Each level of nested sequences is read anew, and each
    element becomes an object, so that the length of the file bounds neither memory nor time."""

    def __init__(self) -> None:
        self.bytes, self.times = _MOST_READ, _MOST_TIMES

    @property
    def is_spent(self) -> bool:
        return self.bytes < 0 or self.times < 0

    def of(self, stream: BytesIO) -> BytesIO:
        """The same bytes, of which no more are read than are allowed."""
        counted = _Counted(stream.getvalue(), self)
        counted.seek(stream.tell())
        return counted


class _Counted(BytesIO):
    def __init__(self, data: bytes, allowance: _Allowance) -> None:
        super().__init__(data)
        self._length, self._allowance = len(data), allowance

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size < _LONGEST_VALUE:  # it may be more than there are
            left = self._length - self.tell()
            size = left if size is None or size < 0 else min(size, left)
        allowance = self._allowance
        allowance.bytes -= size
        allowance.times -= 1
        if allowance.bytes < 0 or allowance.times < 0:
            raise OSError("too much of a header")
        return super().read(size)


def _data_set(stream: BytesIO, syntax: uid.UID, allowance: _Allowance) -> Header:
    """The data set from here on; it shows itself its byte order and whether it has explicit VRs,
    since the meta information may be absent or wrong."""
    start = stream.tell()
    first = stream.read(6)
    big = first[:1] == b"\0" and first[1:2] != b"\0"
    implicit = not re.match(rb"[A-Z]{2}", first[4:])

    def read(source: BytesIO) -> Header:
        elements = _elements(source, implicit, not big, allowance)
        return _header(elements, syntax, big, allowance)

    stream.seek(start)
    try:
        return read(stream)
    except EOFError:
        stream.seek(start)
        header = read(BytesIO(stream.read() + _DELIMITER))
        if not header.encapsulated or not _are_whole(header.raw["PixelData"]):
            raise
        return header


def _elements(
    stream: BytesIO, implicit: bool, little: bool, allowance: _Allowance
) -> Iterator[RawDataElement | DataElement]:
    """The elements in `TAGS` up to the pixels, which alone may be large."""
    before, reached = allowance.of(stream), False

    def at_pixels(tag: int, *_: object) -> bool:
        nonlocal reached
        reached = TAGS.get(tag) in _PIXELS
        return reached

    options = implicit, little
    wanted = list(TAGS)
    yield from data_element_generator(before, *options, at_pixels, specific_tags=wanted)
    if reached:
        stream.seek(before.tell())
        yield from islice(data_element_generator(stream, *options, specific_tags=wanted), 1)


def _are_whole(fragments: bytes) -> bool:
    """Whether items of the lengths that they claim fill the bytes (PS3.5 section A.4)."""
    if not fragments.startswith(_ITEM_TAGS[0]):
        return False
    at, fragments = 0, fragments.removesuffix(_DELIMITER)
    while at < len(fragments):
        if fragments[at : at + 4] != _ITEM_TAGS[0]:
            return False
        at += 8 + int.from_bytes(fragments[at + 4 : at + 8], "little")
    return at == len(fragments)


def _header(
    elements: Iterable[RawDataElement | DataElement],
    syntax: uid.UID,
    big: bool,
    allowance: _Allowance,
) -> Header:
    """The elements that are in `TAGS`, nested ones as well."""
    found = {TAGS[element.tag]: element for element in elements if element.tag in TAGS}
    kind = next((keyword for keyword in _PIXELS if keyword in found), "PixelData")
    pixels = found.pop(kind, None)
    values = {k: bytes(e.value or b"") for k, e in found.items() if not k.endswith("Sequence")}
    if any(
        len(v) > (_LONGEST_TABLE if k in _TABLES else _LONGEST_VALUE) for k, v in values.items()
    ):
        raise UnreadableSlice(
            N_(
                "The DICOM file has a header value of more than {most} KB, or a table of more than "
                "a megabyte, which slices never have. Export it again.",
                most=_LONGEST_VALUE // 1024,
            )
        )
    if values.get("PatientID"):
        values["PatientID"] = sha256(values["PatientID"]).hexdigest().encode()
    if pixels is not None:
        values["PixelData"] = bytes(pixels.value or b"")
    return Header(
        values,
        syntax,
        big,
        getattr(pixels, "VR", None) or "OW",
        getattr(pixels, "length", None) == _UNDEFINED or _are_whole(values.get("PixelData", b"")),
        _PIXELS[kind],
        {
            keyword: tuple(_items(element, syntax, big, allowance))
            for keyword, element in found.items()
            if keyword.endswith("Sequence")
        },
    )


def _items(
    element: RawDataElement | DataElement, syntax: uid.UID, big: bool, allowance: _Allowance
) -> Iterator[Header]:
    """The items of a sequence, which pydicom has taken apart if its length was undefined."""
    if isinstance(element, RawDataElement):
        data, implicit = element.value or b"", element.is_implicit_VR or element.VR == "UN"
        items: Iterable[Dataset] = read_sequence(
            allowance.of(BytesIO(data)), implicit, element.is_little_endian, len(data), "iso8859"
        )
    else:
        items = element.value or ()
    for item in items:
        yield _header(item.values(), syntax, big, allowance)


def _inflate(body: bytes) -> bytes:
    """Undo the raw deflate of PS3.5 section A.5, up to `MAX_BYTES` and to `MAX_RATIO` times."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(body, min(MAX_BYTES, MAX_RATIO * len(body)))
    if inflater.unconsumed_tail:
        raise UnreadableSlice(
            N_(
                "The DICOM file unpacks to more than {most} MB or {most2} times its size, which "
                "slices never do. Export it uncompressed.",
                most=MAX_BYTES // 1024**2,
                most2=MAX_RATIO,
            )
        )
    return inflated
