import logging
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.dicom.frames import read_dicom
from covidct.imaging.dicom.window import LUNG, VIEWING_WINDOWS, is_hounsfield
from covidct.imaging.readers import read_hounsfield, read_slice

SERIES = Path(__file__).parents[3].parent / "shared" / "data" / "dicom-ct-series" / "series"
NO_WINDOW = "No window in the header: full range shown."


def lung_window(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip((values + 1350.0) / 1500 * 255, 0, 255)).astype(np.uint8)


def stretched(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * (255 / (high - low))).astype(np.uint8)


@pytest.fixture
def counts(greys) -> np.ndarray:
    """Values that nobody takes for Hounsfield units, uint16."""
    return greys.astype(np.uint16) * 16 + 3


@pytest.fixture
def encapsulated(dicom, encode):
    def wrap(values: np.ndarray, syntax: str, kind: str, **options: object) -> bytes:
        return dicom(values, syntax, PixelData=encapsulate([encode(values, kind, **options)]))

    return wrap


@pytest.mark.parametrize("intercept", [-1024, 0])
def test_hounsfield_units_are_shown_in_the_lung_window(hounsfield, dicom, intercept):
    stored = (hounsfield - intercept).astype(np.int16)
    ct_slice = read_slice(dicom(stored, RescaleIntercept=str(intercept), RescaleSlope="1"))
    assert np.array_equal(ct_slice.pixels, lung_window(hounsfield))
    assert ct_slice.source == "DICOM"
    assert ct_slice.notes == (
        "Lung window for the network (centre -600, width 1500 Hounsfield units).",
    )


def test_slope_and_intercept_make_the_hounsfield_units(hounsfield, dicom):
    stored = ((hounsfield.astype(int) + 1024) * 2).astype(np.uint16)
    elements = {"RescaleIntercept": "-1024", "RescaleSlope": "0.5", "RescaleType": "HU"}
    assert np.array_equal(read_slice(dicom(stored, **elements)).pixels, lung_window(hounsfield))


def test_the_lung_window_wins_over_the_window_in_the_header(hounsfield, dicom):
    data = dicom(hounsfield, WindowCenter="40", WindowWidth="400")
    assert np.array_equal(read_slice(data).pixels, lung_window(hounsfield))


def test_unused_high_bits_do_not_count(hounsfield, dicom):
    stored = (hounsfield + 1024).astype(np.uint16) | 0xF000
    elements = {"BitsStored": 12, "HighBit": 11, "RescaleIntercept": "-1024"}
    assert np.array_equal(read_slice(dicom(stored, **elements)).pixels, lung_window(hounsfield))


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    ],
)
def test_uncompressed_syntaxes_give_the_same_pixels(hounsfield, dicom, syntax):
    values = hounsfield.astype(">i2") if syntax == uid.ExplicitVRBigEndian else hounsfield
    assert np.array_equal(read_slice(dicom(values, syntax)).pixels, lung_window(hounsfield))


@pytest.mark.parametrize("implicit", [True, False])
def test_a_bare_data_set_reads_without_preamble_and_meta_information(hounsfield, dicom, implicit):
    dataset = pydicom.dcmread(BytesIO(dicom(hounsfield)))
    del dataset.file_meta
    buffer = BytesIO()
    dataset.save_as(buffer, implicit_vr=implicit, little_endian=True)
    data = buffer.getvalue().removeprefix(bytes(128) + b"DICM")
    assert data[:2] == b"\x08\0"
    assert np.array_equal(read_slice(data).pixels, lung_window(hounsfield))


def test_meta_information_without_preamble_reads(hounsfield, dicom):
    assert np.array_equal(read_slice(dicom(hounsfield)[132:]).pixels, lung_window(hounsfield))


def test_rle_reads(hounsfield, dicom):
    dataset = pydicom.dcmread(BytesIO(dicom(hounsfield)))
    dataset.compress(uid.RLELossless, generate_instance_uid=False)
    buffer = BytesIO()
    dataset.save_as(buffer)
    assert np.array_equal(read_slice(buffer.getvalue()).pixels, lung_window(hounsfield))


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.JPEG2000])
@pytest.mark.parametrize("bare", [True, False])
def test_jpeg_2000_reads_with_and_without_its_wrapper(counts, encapsulated, syntax, bare):
    data = encapsulated(counts, syntax, "JPEG2000", no_jp2=bare)
    assert np.array_equal(read_slice(data).pixels, stretched(counts))


def test_a_wrapper_box_without_length_hangs_nothing(counts, encapsulated):
    data = encapsulated(counts, uid.JPEG2000, "JPEG2000").replace(b"\0\0\0\x14ftyp", b"\0" * 8)
    assert np.array_equal(read_slice(data).pixels, stretched(counts))


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
def test_eight_bit_jpeg_reads(greys, encapsulated, syntax):
    pixels = read_slice(encapsulated(greys, syntax, "JPEG", quality=100)).pixels
    assert np.abs(pixels.astype(int) - stretched(greys)).max() <= 3


@pytest.mark.parametrize("syntax", [uid.MPEG2MPML, uid.HEVCMP51, uid.JPEG2000MC])
def test_compressions_that_cannot_be_read_are_named(greys, encapsulated, syntax):
    film = encapsulated(greys, syntax, "JPEG").replace(b"\xff\xd8\xff", b"\0\0\1", 1)
    with pytest.raises(UnsupportedEncoding) as caught:
        read_slice(film)
    assert f"The DICOM file uses {syntax.name}, which cannot be read here" in str(caught.value)


def test_an_unknown_compression_is_refused(greys, encapsulated):
    with pytest.raises(UnsupportedEncoding, match="an unknown compression"):
        known = encapsulated(greys, uid.JPEG2000, "JPEG")
        known = known.replace(b"\xff\xd8\xff", b"\0\0\1", 1)
        read_slice(known.replace(b"1.2.840.10008.1.2.4.91", b"1.2.840.10008.9.2.4.91"))


def test_values_that_are_no_hounsfield_units_are_shown_in_full_and_said_so(counts, dicom):
    ct_slice = read_slice(dicom(counts, RescaleIntercept="0", RescaleSlope="1"))
    assert np.array_equal(ct_slice.pixels, stretched(counts))
    assert ct_slice.notes == (
        "The stored values are not Hounsfield units although the header implies so: "
        f"they run from {counts.min()} to {counts.max()}.",
        NO_WINDOW,
    )


def test_nothing_is_claimed_where_the_header_claims_nothing(counts, dicom):
    assert read_slice(dicom(counts, Modality="OT")).notes == (NO_WINDOW,)


@pytest.mark.parametrize("rescale_type", ["", "HU", "US"])
def test_hounsfield_units_are_plausible(hounsfield, rescale_type):
    assert is_hounsfield(hounsfield, rescale_type)


@pytest.mark.parametrize(
    "distort",
    [
        lambda hu: hu + 1024,
        lambda hu: hu - 1024,
        lambda hu: -hu,
        lambda hu: 2 * hu + 500,
        lambda hu: np.clip((hu + 1350) * 4095 / 1500, 0, 4095),
        lambda hu: np.clip((hu + 1350) * 255 / 1500, 0, 255) - 1024,
        lambda hu: np.maximum(hu, -300),
        lambda hu: np.minimum(hu, -300),
    ],
)
def test_other_values_are_not_taken_for_hounsfield_units(hounsfield, distort):
    assert not is_hounsfield(distort(hounsfield.astype(float)))


def test_another_physical_quantity_is_not_taken_for_hounsfield_units(hounsfield):
    assert not is_hounsfield(hounsfield, "Z_EFF")


@pytest.mark.parametrize(
    ("function", "ramp"),
    [
        (None, lambda x: (x - (1500 - 0.5)) / (2000 - 1) + 0.5),
        ("LINEAR", lambda x: (x - (1500 - 0.5)) / (2000 - 1) + 0.5),
        ("LINEAR_EXACT", lambda x: (x - 1500) / 2000 + 0.5),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 1500) / 2000))),
    ],
)
def test_the_window_in_the_header_follows_the_standard(counts, dicom, function, ramp):
    elements = {"WindowCenter": ["1500", "40"], "WindowWidth": ["2000", "400"], "Modality": "OT"}
    if function:
        elements["VOILUTFunction"] = function
    ct_slice = read_slice(dicom(counts, **elements))
    expected = np.rint(255 * np.clip(ramp(counts.astype(float)), 0, 1))
    assert np.array_equal(ct_slice.pixels, expected)
    assert ct_slice.notes == ("The window in the header was used.",)


@pytest.mark.parametrize("window", [("-600", "1500"), ("20000", "10"), ("-900", "100")])
def test_a_window_that_hides_the_picture_is_not_used(counts, dicom, window):
    ct_slice = read_slice(dicom(counts, WindowCenter=window[0], WindowWidth=window[1]))
    assert np.array_equal(ct_slice.pixels, stretched(counts))
    assert ct_slice.notes[-1] == "The window in the header hides the picture: full range shown."


@pytest.mark.parametrize("width", ["0", "-5", "1", ""])
def test_a_malformed_window_is_no_window(counts, dicom, width):
    assert read_slice(dicom(counts, WindowCenter="5", WindowWidth=width)).notes[-1] == NO_WINDOW


def test_monochrome1_is_inverted(counts, dicom):
    twin = read_slice(dicom(counts)).pixels
    inverse = read_slice(dicom(counts, PhotometricInterpretation="MONOCHROME1")).pixels
    assert np.array_equal(inverse, 255 - twin)


def test_air_stays_dark_in_hounsfield_units_even_under_monochrome1(hounsfield, dicom):
    ct_slice = read_slice(dicom(hounsfield, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(ct_slice.pixels, lung_window(hounsfield))
    assert "air is shown dark" in ct_slice.notes[-1]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_darkest_and_does_not_count(counts, dicom, photometric):
    padded = counts.copy()
    padded[:10] = 65535
    elements = {"PhotometricInterpretation": photometric, "PixelPaddingValue": 65535}
    pixels = read_slice(dicom(padded, **elements)).pixels
    alone = read_slice(dicom(padded[10:], PhotometricInterpretation=photometric)).pixels
    assert (pixels[:10] == 0).all()
    assert np.array_equal(pixels[10:], alone)


def test_a_range_of_signed_padding_is_darkest(counts, dicom):
    padded = counts.astype(np.int16)
    padded[:20] = -2000
    padded[20:25] = -1990
    pixels = read_slice(dicom(padded, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1990)).pixels
    assert (pixels[:25] == 0).all()
    assert np.array_equal(pixels[25:], stretched(padded[25:]))


@pytest.mark.parametrize(
    ("stored", "spacing"),
    [
        (["0.7", "0.8"], (0.7, 0.8)),
        (["0.7"], None),
        (["0", "0.8"], None),
        (["-1", "1"], None),
        (None, None),
    ],
)
def test_spacing_is_known_or_none(counts, dicom, stored, spacing):
    elements = {"PixelSpacing": stored} if stored else {}
    assert read_slice(dicom(counts, **elements)).spacing_mm == spacing


@pytest.mark.parametrize("garbage", [b"abc\\0.7 ", b"nan\\0.70", b"1e999\\1 "])
def test_malformed_spacing_is_none(counts, dicom, garbage):
    data = dicom(counts, PixelSpacing=["0.5", "0.25"])
    damaged = data.replace(b"0.5\\0.25", garbage[:8].ljust(8))
    assert damaged != data
    assert read_slice(damaged).spacing_mm is None


@pytest.mark.parametrize(
    ("elements", "error", "sentence"),
    [
        ({"PixelData": None}, UnreadableSlice, "holds no pixel data"),
        ({"NumberOfFrames": "30"}, UnsupportedEncoding, "holds 30 frames"),
        ({"NumberOfFrames": "-3", "Rows": 81}, UnreadableSlice, "only 15360 of 15552"),
        ({"SamplesPerPixel": 3}, UnsupportedEncoding, "colour image"),
        ({"PhotometricInterpretation": "RGB"}, UnsupportedEncoding, "colour image"),
        ({"PhotometricInterpretation": "YBR_FULL_422"}, UnsupportedEncoding, "colour image"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, UnsupportedEncoding, "colour image"),
        ({"Rows": 63}, UnreadableSlice, "too small: 96 × 63 pixels"),
        ({"Rows": None}, UnreadableSlice, "does not say how many rows"),
        ({"Rows": 60000, "Columns": 60000}, UnreadableSlice, "too large: 60000 × 60000 pixels"),
        ({"Rows": 81}, UnreadableSlice, "only 15360 of 15552 bytes of pixel data"),
        ({"BitsAllocated": 8, "BitsStored": 8}, UnsupportedEncoding, "more frames"),
        ({"RescaleSlope": "1e308"}, UnreadableSlice, "not numbers"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_its_reason(counts, dicom, elements, error, sentence):
    with pytest.raises(error, match=sentence):
        read_slice(dicom(counts, **elements))


@pytest.mark.parametrize("padding", [{}, {"PixelPaddingValue": 5}])
def test_constant_pixels_are_refused(dicom, padding):
    with pytest.raises(UnreadableSlice, match="All pixels are the same"):
        read_slice(dicom(np.full((80, 80), 5, np.uint16), **padding))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian])
def test_truncated_files_are_refused(counts, dicom, share, syntax):
    data = dicom(counts, syntax)
    with pytest.raises(UnreadableSlice):
        read_slice(data[: int(len(data) * share)])


def test_a_compressed_picture_larger_than_declared_is_not_decoded(encapsulated, greys):
    data = encapsulated(greys, uid.JPEGBaseline8Bit, "JPEG")
    large = encapsulated(np.tile(greys, (2, 2)), uid.JPEGBaseline8Bit, "JPEG")
    rows = data[data.index(b"\x28\0\x10\0US") :][:20]
    forged = large.replace(large[large.index(b"\x28\0\x10\0US") :][:20], rows)
    with pytest.raises(UnreadableSlice, match="not of the size"):
        read_slice(forged)


def test_deflate_bombs_are_refused(monkeypatch, counts, dicom):
    monkeypatch.setattr("covidct.imaging.dicom.header.MAX_BYTES", 10_000)
    with pytest.raises(UnreadableSlice, match="unpacks to more than"):
        read_dicom(dicom(counts, uid.DeflatedExplicitVRLittleEndian))


def table(first: int, entries: list[int], bits: int = 12, **elements: str) -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, "SS" if first < 0 else "US", [len(entries), first, bits])
    item.add_new(0x00283006, "OW", np.array(entries, np.uint16).tobytes())
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return Sequence([item])


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_a_modality_table_makes_hounsfield_units_no_less_than_a_slope(hounsfield, dicom, syntax):
    stored = (hounsfield + 1100).astype(np.uint16) // 4
    entries = list(range(0, 2**16, 4))[: stored.max() + 1]
    twin = dicom(stored, RescaleSlope="4", RescaleIntercept="0", Modality="OT")
    data = dicom(stored, syntax, ModalityLUTSequence=table(0, entries, 16), Modality="OT")
    assert np.array_equal(read_slice(data).pixels, read_slice(twin).pixels)


def test_a_table_of_another_quantity_makes_no_hounsfield_units(hounsfield, dicom):
    density = table(-1100, list(range(1300)), ModalityLUTType="OD")
    data = dicom(hounsfield, ModalityLUTSequence=density)
    assert read_hounsfield(dicom(hounsfield)) is not None
    assert read_hounsfield(data) is None


@pytest.mark.parametrize("signed", [False, True])
def test_a_table_for_display_is_used_where_there_is_no_window(counts, dicom, signed):
    first, curve = -500 if signed else 40, np.rint(4095 * np.linspace(0, 1, 3900) ** 2)
    elements = {"VOILUTSequence": table(first, curve.astype(int).tolist()), "Modality": "OT"}
    stored = counts.astype(np.int16) - 520 if signed else counts
    ct_slice = read_slice(dicom(stored, **elements))
    at = np.clip(stored.astype(int) - first, 0, 3899)
    assert np.array_equal(ct_slice.pixels, np.rint(curve[at] * (255 / 4095)))
    assert ct_slice.notes == ("The look-up table in the header was used.",)
    window = read_slice(dicom(stored, WindowCenter="1500", WindowWidth="3000", **elements))
    assert window.notes == ("The window in the header was used.",)


@pytest.mark.parametrize(
    "damage", [{"entries": [5] * 9}, {"bits": 40}, {"first": 0, "entries": []}, {"bits": 0}]
)
def test_a_malformed_table_is_no_table(counts, dicom, damage):
    elements = {"first": 0, "entries": list(range(300))} | damage
    lut = table(**elements)
    lut[0].LUTDescriptor = [300, 0, elements.get("bits", 12)]
    assert read_slice(dicom(counts, Modality="OT", VOILUTSequence=lut)).notes == (NO_WINDOW,)


def test_hounsfield_units_can_be_had_for_viewing(hounsfield, dicom, counts, encode, greys):
    padded = hounsfield.copy()
    padded[:9] = -3000
    data = dicom(padded, PixelPaddingValue=-3000)
    values = read_hounsfield(data)
    assert values.dtype == np.int16
    assert np.array_equal(values[9:], hounsfield[9:])
    for window in VIEWING_WINDOWS.values():
        assert (window.apply(values)[:9] == 0).all()
    assert np.array_equal(LUNG.apply(values), read_slice(data).pixels)
    assert read_hounsfield(dicom(counts)) is None
    assert read_hounsfield(encode(greys, "PNG")) is None


def test_a_frame_that_is_not_there_is_refused(hounsfield, dicom):
    assert read_slice(dicom(hounsfield), frame=0).shape == hounsfield.shape
    for frame in (-1, 1):
        with pytest.raises(UnreadableSlice, match="no such frame"):
            read_slice(dicom(hounsfield), frame)


@pytest.mark.parametrize("elements", [{"SamplesPerPixel": 3}, {"RescaleSlope": "1e308"}, {}])
def test_no_patient_data_are_told(counts, dicom, caplog, elements):
    data = dicom(counts, **elements).replace(b"CT", b"\xff\xfe")
    with caplog.at_level(logging.DEBUG):
        try:
            told = " ".join(read_slice(data).notes)
        except UnreadableSlice as error:
            told = str(error)
    assert "Secret" not in told + caplog.text


@pytest.mark.skipif(not SERIES.exists(), reason="the shared series is not here")
def test_the_shared_series_reads_and_is_not_white():
    files = sorted(SERIES.iterdir())
    assert len(files) == 20
    for file in files:
        ct_slice = read_slice(file)
        assert 80 < ct_slice.pixels.mean() < 190
        assert np.mean(ct_slice.pixels == 255) < 0.1
        assert "not Hounsfield units" in ct_slice.notes[0]
        assert ct_slice.notes[1] == NO_WINDOW
        assert ct_slice.spacing_mm == pytest.approx((0.683594, 0.683594))


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
def test_an_empty_sequence_in_the_header_changes_nothing(hounsfield, dicom, syntax):
    data = dicom(hounsfield, syntax, ModalityLUTSequence=Sequence([]))
    assert np.array_equal(read_slice(data).pixels, lung_window(hounsfield))
