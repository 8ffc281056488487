"""The header against pydicom's own reading of the same bytes, and its limits from both sides."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate_extended
from pydicom.sequence import Sequence

from covidct.errors import UnreadableSlice
from covidct.imaging.dicom.header import TAGS, Header, is_dicom, read_header

SYNTAXES = [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
ITEM = b"\xfe\xff\x00\xe0"
VALUES = np.arange(80 * 96, dtype=np.uint16).reshape(80, 96)


@pytest.fixture
def header(dicom):
    """The header of a file with these elements."""

    def read(syntax: str = uid.ExplicitVRLittleEndian, **elements: object) -> Header:
        return read_header(dicom(VALUES, syntax, **elements))

    return read


def item(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def table(data: bytes) -> Sequence:
    dataset = Dataset()
    dataset.add_new("LUTDescriptor", "US", [256, 0, 16])
    dataset.add_new("LUTData", "OW", data)
    return Sequence([dataset])


def test_tags_have_the_keywords_of_the_data_dictionary():
    keywords = {tag: keyword_for_tag(tag) for tag in TAGS}
    assert keywords.pop(0x00089007) == "FrameType"
    assert {tag: name for tag, name in TAGS.items() if tag != 0x00089007} == keywords
    assert TAGS[0x00089007] == TAGS[0x00080008] == "ImageType"


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_values_are_those_that_pydicom_reads(dicom, syntax):
    elements = {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "InstanceNumber": "17",
        "ImagePositionPatient": [-1.5, 20, 3e2],
        "PixelPaddingValue": -2000,
        "PixelRepresentation": 1,
        "SmallestImagePixelValue": 5,
    }
    data = dicom(VALUES, syntax, **elements)
    header, dataset = read_header(data), pydicom.dcmread(BytesIO(data))
    assert header.text("ImageType").split("\\") == dataset.ImageType
    assert header.number("InstanceNumber") == dataset.InstanceNumber
    assert header.numbers("ImagePositionPatient", 3) == tuple(dataset.ImagePositionPatient)
    assert header.integer("PixelPaddingValue", signed=True) == dataset.PixelPaddingValue
    assert header.integer("PixelPaddingValue") == dataset.PixelPaddingValue + 2**16
    assert (header.integer("Rows"), header.integer("Columns")) == (dataset.Rows, dataset.Columns)
    assert header.is_signed
    assert header.byte_order == ("big" if syntax == uid.ExplicitVRBigEndian else "little")
    assert header.syntax == syntax
    assert header.raw["PixelData"] == dataset.PixelData
    assert (header.pixel_vr, header.encapsulated) == ("OW", False)
    assert "SmallestImagePixelValue" not in header.raw


def test_what_is_absent_has_a_default(header):
    plain = header()
    assert plain.integer("PixelPaddingValue") == 0
    assert plain.integer("PixelPaddingValue", default=7) == 7
    assert (plain.number("WindowCenter"), plain.numbers("WindowCenter", 1)) == (None, ())
    assert (plain.text("WindowCenter"), plain.integers("LUTData")) == ("", [])
    assert not plain.is_signed


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_integers_have_the_byte_order_size_and_sign_that_is_asked_for(syntax, signed, size):
    big = syntax == uid.ExplicitVRBigEndian
    kind = {1: "b", 2: "h", 4: "i"}[size]
    stored = struct.pack(f"{'>' if big else '<'}3{kind}", -2, 1, 100)
    header = Header({"LUTData": stored + b"\1" * (size - 1)}, syntax, big)
    first = -2 if signed else 2 ** (8 * size) - 2
    assert header.integers("LUTData", signed, size) == [first, 1, 100]
    assert size != 2 or header.integers("LUTData", signed) == [first, 1, 100]


@pytest.mark.parametrize(
    ("stored", "number"), [("1", 1), ("7", 7), ("0", 1), ("-3", 1), ("many", 1), (None, 1)]
)
def test_there_is_one_frame_unless_more_are_said(stored, number):
    raw = {} if stored is None else {"NumberOfFrames": stored.encode()}
    assert Header(raw, uid.ExplicitVRLittleEndian).frames == number


def test_a_frame_is_what_its_groups_say_else_what_all_share_else_what_the_file_says(header):
    def group(**sequences: Dataset) -> Dataset:
        return item(**{keyword: Sequence([macro]) for keyword, macro in sequences.items()})

    positions = [[0, 0, 1], [0, 0, 2]]
    whole = header(
        PixelSpacing=[9, 9],
        WindowCenter="40",
        ImageOrientationPatient=[0, 1, 0, 1, 0, 0],
        SharedFunctionalGroupsSequence=Sequence(
            [
                group(
                    PixelMeasuresSequence=item(PixelSpacing=[0.5, 0.6]),
                    PlanePositionSequence=item(ImagePositionPatient=[7, 7, 7]),
                ),
                group(PixelMeasuresSequence=item(PixelSpacing=[3, 3])),
            ]
        ),
        PerFrameFunctionalGroupsSequence=Sequence(
            group(
                PlanePositionSequence=item(ImagePositionPatient=position),
                FrameVOILUTSequence=item(VOILUTSequence=table(bytes(8))),
            )
            for position in positions
        ),
    )
    for index, position in enumerate(positions):
        frame = whole.of_frame(index)
        assert frame.numbers("ImagePositionPatient", 3) == tuple(position)
        assert frame.numbers("PixelSpacing", 2) == (0.5, 0.6)
        assert frame.numbers("ImageOrientationPatient", 6) == (0, 1, 0, 1, 0, 0)
        assert frame.number("WindowCenter") == 40
        assert len(frame.items["VOILUTSequence"]) == 1
    assert whole.of_frame(2).numbers("ImagePositionPatient", 3) == (7, 7, 7)
    assert whole.numbers("PixelSpacing", 2) == (9, 9)


def test_a_table_names_its_quantity_before_the_rescale_does(header):
    named = table(bytes(8))
    named[0].ModalityLUTType = "OD"
    assert header(RescaleType="HU").rescale_type == "HU"
    assert header(RescaleType="HU", ModalityLUTSequence=named).rescale_type == "OD"
    two = Sequence([named[0], table(bytes(8))[0]])
    assert header(ModalityLUTSequence=two).rescale_type == "OD"
    assert header(RescaleType="HU", ModalityLUTSequence=table(bytes(8))).rescale_type == ""


def test_without_pixels_all_else_is_there(header):
    whole = header()
    bare = whole.without_pixels()
    assert bare.raw == {k: v for k, v in whole.raw.items() if k != "PixelData"}
    assert bare.raw.keys() != whole.raw.keys()


def test_fragments_are_told_from_plain_pixels(dicom, encode, greys):
    pixels, offsets, lengths = encapsulate_extended([encode(greys, "JPEG")])
    tables = {"ExtendedOffsetTable": offsets, "ExtendedOffsetTableLengths": lengths}
    header = read_header(dicom(greys, uid.JPEGBaseline8Bit, PixelData=pixels, **tables))
    assert (header.pixel_vr, header.encapsulated) == ("OB", True)
    assert {keyword: header.raw[keyword] for keyword in tables} == tables
    assert header.syntax == uid.JPEGBaseline8Bit


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("undefined", [True, False])
def test_items_of_an_unknown_sequence_are_implicit(dicom, implicit, undefined):
    """As PS3.5 section 6.2.2 has it: of VR UN, whatever the syntax of the rest."""
    data = dicom(VALUES, uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian)
    lut_type = struct.pack("<2HL", 0x28, 0x3004, 2) + b"OD"
    items = ITEM + struct.pack("<L", len(lut_type)) + lut_type
    if undefined:
        items += b"\xfe\xff\xdd\xe0\0\0\0\0"
    length = struct.pack("<L", 0xFFFFFFFF if undefined else len(items))
    element = b"\x28\0\0\x30" + (b"" if implicit else b"UN\0\0") + length + items
    at = data.index(b"\xe0\x7f\x10\0")
    assert read_header(data[:at] + element + data[at:]).rescale_type == "OD"


@pytest.mark.parametrize(
    ("start", "is_one"),
    [
        (bytes(128) + b"DICM", True),
        (bytes(128) + b"DICM" + b"\x02\0\0\0UL\x04\0", True),
        (bytes(127) + b"DICM", False),
        (bytes(129) + b"DICM", False),
        (b"\x02\0\0\0UL\x04\0" + bytes(4), True),
        (b"\x08\0\x05\0CS\x02\0ab" + b"\x08\0\x08\0", True),
        (b"\x08\0\x05\0\x02\0\0\0ab" + b"\x08\0\x08\0", True),
        (b"\x08\0\x05\0CS\0\1" + bytes(256) + b"\x08\0\x08\0", True),
        (b"\x08\0\x05\0CS\x04\0ab" + b"\x08\0\x08\0", False),
        (b"\x08\0\x05\0CS\x02\0ab" + b"\x08\0\0\0", False),
        (b"\x08\0\x05\0CS\x02\0ab" + b"\x08\0\x08\1", False),
        (b"\x08\0\x05\0CS\x02\0ab" + b"\x09\0\x08\0", False),
        (b"\x08\0\x05\0CS\x02\0ab", False),
        (b"\x08\1\x05\0CS\x02\0ab" + b"\x08\0\x08\0", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"", False),
    ],
)
def test_dicom_is_told_by_its_prefix_or_by_two_elements_in_order(start, is_one):
    assert is_dicom(start) == is_one


def test_without_meta_information_the_first_element_shows_the_syntax(dicom):
    whole = dicom(VALUES)
    at = whole.index(b"\x08\0\x16\0UI")
    header = read_header(whole[at:])
    assert header.syntax == uid.ExplicitVRLittleEndian
    assert header.raw == read_header(whole).raw


@pytest.mark.parametrize(("length", "is_read"), [(2**20, True), (2**20 + 2, False)])
def test_a_value_may_have_a_megabyte(header, length, is_read):
    elements = {"VOILUTSequence": table(bytes(length))}
    if is_read:
        assert len(header(**elements).items["VOILUTSequence"][0].raw["LUTData"]) == length
    else:
        with pytest.raises(UnreadableSlice, match="more than a megabyte"):
            header(**elements)


def test_pixels_may_have_more_than_a_megabyte(dicom):
    assert len(read_header(dicom(np.zeros((1024, 1024), np.uint16))).raw["PixelData"]) == 2**21


@pytest.mark.parametrize("tag", [ITEM, b"\xff\xfe\xe0\x00"])
def test_a_hundred_thousand_items_are_looked_at_and_no_more(header, tag):
    """They are counted wherever the bytes of their tag stand, in either byte order."""
    shortest = tag + bytes(4)
    assert header(PixelData=shortest * 100_000).raw["PixelData"] == shortest * 100_000
    with pytest.raises(UnreadableSlice, match="more than 100,000 sequence items"):
        header(PixelData=shortest * 100_001)


@pytest.mark.parametrize(("times", "is_read"), [(99, True), (101, False)])
def test_deflated_elements_may_take_a_hundred_times_their_size(dicom, times, is_read):
    """Blank pixels, deflated, before as many bytes as make the ratio."""
    blank = np.zeros((1000, 1000), np.uint16)
    data = dicom(blank, uid.DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(data[140:144], "little")  # behind the meta information
    length = len(zlib.decompress(data[start:], -zlib.MAX_WBITS))
    data = data.ljust(start + length // times, b"\0")
    if is_read:
        assert read_header(data).raw["PixelData"] == blank.tobytes()
    else:
        with pytest.raises(UnreadableSlice, match="100 times"):
            read_header(data)
