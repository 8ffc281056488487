"""DICOM as hospitals, scanners and converters really write it: what is wrong or missing, is told
from the values and read like its sound twin."""

import re
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.dicom.colours import GREY_IN_COLOURS
from covidct.imaging.dicom.header import is_dicom
from covidct.imaging.dicom.rescale import SIGN_GUESSED
from covidct.imaging.readers import read_hounsfield, read_slice

# pydicom does not write the one, so that it stands for the other
_NEWEST = b"1.2.840.10008.1.2.4.100", b"1.2.840.10008.1.2.4.110"
_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"


@pytest.fixture
def stored(hounsfield) -> np.ndarray:
    """Hounsfield units + 1024, in 12 of 16 bits; air is noisy, as scanners store it."""
    return (hounsfield + 1024).astype(np.uint16)


@pytest.fixture
def twin(stored, dicom):
    """A sound file; elements may differ."""

    def make(values: np.ndarray = stored, syntax: str = uid.ExplicitVRLittleEndian, **elements):
        header = {"RescaleIntercept": "-1024", "RescaleSlope": "1", "BitsStored": 12, "HighBit": 11}
        return dicom(values, syntax, **header | {"PixelSpacing": ["0.7", "0.8"]} | elements)

    return make


@pytest.fixture
def compressed(twin, stored):
    """The twin with a codestream, under any transfer syntax."""

    def make(frame: bytes, syntax: str) -> bytes:
        dataset = dcmread(BytesIO(twin()))
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True, implicit_vr=False, little_endian=True)
        return buffer.getvalue().replace(*_NEWEST)

    return make


@pytest.fixture
def same(twin):
    """Whether a file shows what the twin shows, Hounsfield units and spacing too."""
    expected, units = read_slice(twin()), read_hounsfield(twin())

    def check(data: bytes) -> bool:
        found = read_slice(data)
        assert np.array_equal(read_hounsfield(data), units)
        return bool(
            np.array_equal(found.pixels, expected.pixels)
            and found.spacing_mm == expected.spacing_mm
        )

    return check


@pytest.mark.parametrize("spelled", ["Houndsfield Unit", "hu", "normalized", "HOUNSFIELD", "H.U."])
def test_hounsfield_units_may_be_spelled_in_any_way(twin, same, spelled):
    assert same(twin(RescaleType=spelled))


@pytest.mark.parametrize("quantity", ["OD", "Z_EFF", "ed", "PCT"])
def test_another_known_quantity_is_refused_as_hounsfield_units(twin, quantity):
    assert read_hounsfield(twin(RescaleType=quantity)) is None


def test_a_decimal_comma_is_a_point(twin, same):
    pointed = twin(RescaleIntercept="-1024.0", RescaleSlope="1.00", PixelSpacing=["0.70", "0.80"])
    changed = pointed
    for number in (b"-1024.0", b"1.00", b"0.70\\0.80"):
        assert number in changed
        changed = changed.replace(number, number.replace(b".", b","))
    assert same(changed)


@pytest.mark.parametrize("air", [24, 0])
def test_a_missing_offset_is_recognised_from_air_and_said(hounsfield, dicom, air):
    values = np.maximum(hounsfield + 1000 + air, 0).astype(np.uint16)
    window = {"WindowCenter": "40", "WindowWidth": "400"}
    data = dicom(values, **window)
    assert any(f"by the air in the slice it is {-1000 - air}" in n for n in read_slice(data).notes)
    units = read_hounsfield(data)
    assert np.abs(units.astype(int) - np.maximum(hounsfield, -1000 - air)).max() == 0


def test_no_offset_is_made_up_for_values_that_were_windowed(greys, dicom):
    notes = read_slice(dicom(greys)).notes
    assert not any("by the air" in note for note in notes)
    assert any("not Hounsfield units" in note for note in notes)


def test_a_missing_sign_is_told_from_the_values(hounsfield, twin, same):
    data = twin(
        hounsfield,
        PixelRepresentation=None,
        RescaleIntercept="0",
        BitsStored=16,
        HighBit=15,
    )
    assert same(data)
    assert SIGN_GUESSED in read_slice(data).notes


def test_bits_that_lie_higher_in_the_word_are_found(stored, twin, same):
    assert same(twin(stored << 4, HighBit=15))


def test_pixels_of_the_swapped_private_syntax_are_read(stored, twin, same):
    data = twin(stored.byteswap(), uid.ImplicitVRLittleEndian)
    at = data.index(b"1.2.840.10008.1.2\0")
    private = b"1.2.840.113619.5.2"
    assert same(data[:at] + private + data[at + len(private) :])


def _bare(data: bytes, *, big: bool, implicit: bool) -> bytes:
    dataset = dcmread(BytesIO(data))
    if big:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = not big, implicit
    write_dataset(buffer, dataset)
    return buffer.getvalue()


@pytest.mark.parametrize(("big", "implicit"), [(True, False), (False, False), (False, True)])
def test_a_data_set_without_preamble_and_meta_group_is_read(twin, same, big, implicit):
    assert same(_bare(twin(), big=big, implicit=implicit))


def test_neither_preamble_nor_group_length_is_needed(twin, same):
    data = twin()[132:]
    assert data.startswith(b"\x02\0\0\0UL\x04\0")
    assert is_dicom(data[12:])
    assert same(data)
    assert same(data[12:])
    assert same(b"DICM" + data)


CODECS = {
    "JPEG lossless": lambda v: imagecodecs.jpeg8_encode(v, lossless=True, bitspersample=12),
    "JPEG-LS": imagecodecs.jpegls_encode,
    "JPEG 2000": lambda v: imagecodecs.jpeg2k_encode(
        v, level=0, reversible=True, codecformat="j2k"
    ),
}
SYNTAXES = [
    uid.ExplicitVRLittleEndian,
    uid.JPEGLosslessSV1,
    uid.JPEG2000Lossless,
    uid.RLELossless,
    uid.MPEG2MPML,  # in fact JPEG XL, as above
    "1.2.3.4",
]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_codestream_tells_what_the_transfer_syntax_does_not(
    stored, compressed, same, codec, syntax
):
    assert same(compressed(CODECS[codec](stored), syntax))


@pytest.mark.parametrize("codec", CODECS)
def test_a_codestream_without_its_end_mark_is_read_if_all_samples_are_there(
    stored, compressed, same, codec
):
    frame = CODECS[codec](stored)
    assert frame.endswith(b"\xff\xd9")
    assert same(compressed(frame[:-2], uid.JPEG2000Lossless))
    for cut in (3, 40, len(frame) // 2):
        with pytest.raises(UnreadableSlice, match="damaged or incomplete"):
            read_slice(compressed(frame[: -2 - cut], uid.JPEG2000Lossless))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("behind", [bytes(100), b"\xff" * 20, b"vendor" * 9])
def test_what_lies_behind_the_end_mark_does_not_matter(stored, compressed, same, codec, behind):
    assert same(compressed(CODECS[codec](stored) + behind, uid.JPEGLossless))


@pytest.mark.parametrize("ending", [b"", _DELIMITER + b"garbage behind \xfe\xff"])
def test_the_end_of_the_fragments_need_not_be_marked_nor_the_file_end_there(
    stored, compressed, same, ending
):
    data = compressed(CODECS["JPEG lossless"](stored), uid.JPEGLosslessSV1)
    assert data.endswith(_DELIMITER)
    assert same(data.removesuffix(_DELIMITER) + ending)


def test_fragments_that_are_cut_off_are_still_refused(stored, compressed):
    data = compressed(CODECS["JPEG lossless"](stored), uid.JPEGLosslessSV1)
    with pytest.raises(UnreadableSlice, match="damaged or incomplete"):
        read_slice(data[:-400])


def test_a_codestream_that_is_not_wrapped_in_fragments_is_read(stored, twin, same):
    dataset = dcmread(BytesIO(twin()))
    dataset.PixelData = CODECS["JPEG-LS"](stored)
    dataset.PixelData += bytes(len(dataset.PixelData) % 2)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    assert same(buffer.getvalue())


def test_a_compression_that_no_decoder_reads_is_named(compressed):
    with pytest.raises(UnsupportedEncoding, match="uses JPEG XL, which"):
        read_slice(compressed(b"another codestream" * 9, uid.MPEG2MPML))


@pytest.mark.parametrize("container", [True, False])
def test_jpeg_xl_is_read_if_it_is_of_the_declared_size(stored, compressed, same, container):
    frame = imagecodecs.jpegxl_encode(stored, lossless=True, usecontainer=container)
    assert same(compressed(frame, uid.MPEG2MPML))
    other = imagecodecs.jpegxl_encode(stored[:-8], lossless=True, usecontainer=container)
    with pytest.raises(UnreadableSlice, match="not of the size"):
        read_slice(compressed(other, uid.MPEG2MPML))
    with pytest.raises(UnreadableSlice, match="damaged or incomplete"):
        read_slice(compressed(frame[: len(frame) // 2], uid.MPEG2MPML))


def test_packed_twelve_bit_pixels_are_read(stored, twin, same):
    first, second = stored.reshape(-1, 2).T
    packed = np.stack([first & 255, first >> 8 | (second & 15) << 4, second >> 4], axis=-1)
    pixels = packed.astype(np.uint8).tobytes()
    assert same(twin(BitsAllocated=12, PixelData=pixels))
    assert same(twin(BitsAllocated=12))  # in words of 16 bits all the same


@pytest.mark.parametrize(
    ("keyword", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")]
)
def test_floating_point_pixels_are_read(hounsfield, twin, same, keyword, kind):
    values = hounsfield.astype(kind)
    missing = dict.fromkeys(("PixelData", "BitsStored", "HighBit", "PixelRepresentation"))
    bits = 8 * values.itemsize
    pixels = {keyword: values.tobytes(), "BitsAllocated": bits, "RescaleIntercept": "0"}
    assert same(twin(**missing, **pixels))


@pytest.mark.parametrize("planar", [0, 1])
def test_grey_stored_in_colours_is_read_like_a_picture(greys, twin, planar):
    colours = np.stack([greys] * 3, axis=0 if planar else -1)
    options = {"BitsStored": 8, "HighBit": 7, "SamplesPerPixel": 3, "PlanarConfiguration": planar}
    size = {"Rows": greys.shape[0], "Columns": greys.shape[1]}
    data = twin(colours, PhotometricInterpretation="RGB", **options, **size)
    found = read_slice(data)
    assert np.array_equal(found.pixels, greys)
    assert found.notes == (GREY_IN_COLOURS,)
    assert read_hounsfield(data) is None


def test_a_picture_that_is_really_coloured_is_refused(greys, twin):
    colours = np.stack([greys, greys // 2, greys], axis=-1)
    options = {"BitsStored": 8, "HighBit": 7, "SamplesPerPixel": 3, "PlanarConfiguration": 0}
    with pytest.raises(UnsupportedEncoding, match="colour image"):
        read_slice(twin(colours, PhotometricInterpretation="RGB", **options))


def test_a_missing_size_is_named(twin):
    data = re.sub(rb"\x28\0\x10\0US\x02\0..", b"", twin(), count=1, flags=re.DOTALL)
    with pytest.raises(UnreadableSlice, match="does not say how many rows"):
        read_slice(data)
