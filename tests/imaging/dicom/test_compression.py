from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.pixels import get_encoder

from covidct.errors import UnreadableSlice
from covidct.imaging.readers import read_hounsfield, read_slice

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "dicom-ct-series" / "series"
LOSSLESS = [
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
]
LOSSY = [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000]


def encode(values: np.ndarray, syntax: str) -> bytes:
    """One frame of unsigned values."""
    bits = 8 * values.dtype.itemsize
    match syntax:
        case uid.RLELossless:
            return get_encoder(syntax).encode(
                values,
                rows=values.shape[0],
                columns=values.shape[1],
                samples_per_pixel=1,
                number_of_frames=1,
                photometric_interpretation="MONOCHROME2",
                bits_allocated=bits,
                bits_stored=bits,
                pixel_representation=0,
            )
        case uid.JPEGLossless:
            return imagecodecs.jpeg8_encode(values, lossless=True, predictor=5, bitspersample=bits)
        case uid.JPEGLosslessSV1:
            return imagecodecs.jpeg8_encode(values, lossless=True, bitspersample=bits)
        case uid.JPEGLSLossless:
            return imagecodecs.jpegls_encode(values)
        case uid.JPEGLSNearLossless:
            return imagecodecs.jpegls_encode(values, level=2)
        case uid.JPEG2000Lossless:
            return imagecodecs.jpeg2k_encode(values, codecformat="j2k", level=0)
        case uid.JPEG2000:
            return imagecodecs.jpeg2k_encode(values, codecformat="j2k", level=80)
        case uid.HTJ2KLossless:
            return imagecodecs.htj2k_encode(values, reversible=True)
        case uid.JPEGBaseline8Bit:
            return imagecodecs.jpeg8_encode(values, level=95)
        case uid.JPEGExtended12Bit:
            return imagecodecs.jpeg8_encode(values, level=98, bitspersample=12)


@pytest.fixture
def twin(ct_header, ct_file):
    """The file of one slice in a transfer syntax."""

    def make(values: np.ndarray, syntax: str, frame: bytes | None = None, **elements) -> bytes:
        frames = None if syntax.is_transfer_syntax and not syntax.is_encapsulated else [frame]
        if frames and frame is None:
            frames = [encode(values.view(f"u{values.dtype.itemsize}"), syntax)]
        order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
        stored = values.astype(values.dtype.newbyteorder(order))
        return ct_file(ct_header(0, **elements), stored, syntax, frames)

    return make


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        *LOSSLESS,
    ],
)
def test_every_lossless_syntax_gives_the_same_values(volume, twin, syntax):
    plain = twin(volume[1], uid.ExplicitVRLittleEndian)
    data = twin(volume[1], syntax)
    assert np.array_equal(read_hounsfield(data), volume[1].astype(int) - 1350)
    assert np.array_equal(read_slice(data).pixels, read_slice(plain).pixels)
    assert read_slice(data).notes == read_slice(plain).notes


@pytest.mark.skipif(not SHARED.exists(), reason="the shared series is not here")
@pytest.mark.parametrize("syntax", [uid.ExplicitVRBigEndian, *LOSSLESS])
def test_the_shared_series_has_the_same_pixels_in_every_lossless_syntax(ct_file, syntax):
    for path in sorted(SHARED.iterdir())[::7]:
        dataset = pydicom.dcmread(path)
        stored = dataset.pixel_array.astype("<u2")
        frames = [encode(stored, syntax)] if syntax in LOSSLESS else None
        values = stored if frames else stored.astype(">u2")
        bare = pydicom.Dataset({e.tag: e for e in dataset if e.VR != "SQ"})
        twin, ct_slice = read_slice(ct_file(bare, values, syntax, frames)), read_slice(path)
        assert np.array_equal(twin.pixels, ct_slice.pixels)
        assert (twin.notes, twin.spacing_mm) == (ct_slice.notes, ct_slice.spacing_mm)


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("bits", [12, 16])
def test_signed_values_keep_their_sign(volume, twin, syntax, bits):
    values = volume[2].astype(np.int16) - 1350
    stored = (values.astype(int) & (2**bits - 1)).astype(np.uint16).view(np.int16)
    elements = {"BitsStored": bits, "PixelRepresentation": 1, "RescaleIntercept": "0"}
    data = twin(stored, syntax, **elements)
    assert np.array_equal(read_hounsfield(data), values)


@pytest.mark.parametrize("syntax", LOSSY)
def test_lossy_syntaxes_are_close(volume, twin, syntax):
    pixels = read_slice(twin(volume[1], uid.ExplicitVRLittleEndian)).pixels
    elements, stored = {}, volume[1]
    if syntax == uid.JPEGBaseline8Bit:
        stored = np.rint(volume[1] / 8).astype(np.uint8)
        elements = {"BitsAllocated": 8, "BitsStored": 8, "RescaleSlope": "8"}
    difference = read_slice(twin(stored, syntax, **elements)).pixels - pixels.astype(int)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.98])
def test_a_frame_that_is_cut_off_is_refused(volume, twin, syntax, share):
    stored = (volume[3] // 8).astype(np.uint8) if syntax == uid.JPEGBaseline8Bit else volume[3]
    frame = encode(stored, syntax)
    frame = frame[: int(share * len(frame)) // 2 * 2]
    with pytest.raises(UnreadableSlice, match="damaged or incomplete"):
        read_slice(twin(stored, syntax, frame))


@pytest.mark.parametrize("syntax", [*LOSSLESS, *LOSSY])
def test_a_frame_of_another_size_is_refused(volume, twin, syntax):
    stored = (volume[3] // 8).astype(np.uint8) if syntax == uid.JPEGBaseline8Bit else volume[3]
    elements = {"BitsAllocated": 8 * stored.itemsize}
    for smaller in (stored[:-8], np.tile(stored, (3, 1))):
        frame = encode(np.ascontiguousarray(smaller), syntax)
        with pytest.raises(UnreadableSlice, match=r"not of the size|damaged"):
            read_slice(twin(stored, syntax, frame, **elements))


def test_a_frame_that_claims_a_gigapixel_is_not_opened(volume, twin):
    frame = bytearray(encode(volume[0], uid.JPEG2000Lossless))
    frame[8:16] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(UnreadableSlice, match="not of the size"):
        read_slice(twin(volume[0], uid.JPEG2000Lossless, bytes(frame)))


# Not JPEG-LS, of which CharLS looks for the end of damaged data for seconds.
@pytest.mark.parametrize(
    "syntax", [s for s in (*LOSSLESS, uid.JPEGExtended12Bit) if s != uid.JPEGLSLossless]
)
def test_mutated_frames_read_or_are_refused(volume, twin, syntax):
    rng = np.random.default_rng(5)
    small = cv2.resize(volume[1], (64, 64))
    whole = encode(small, syntax)
    for _ in range(60):
        frame = bytearray(whole)
        reach = len(frame) if rng.random() < 0.5 else 150
        for at in rng.integers(2, reach, rng.integers(1, 6)):
            frame[at] = rng.integers(256)
        try:
            assert read_slice(twin(small, syntax, bytes(frame))).shape == (64, 64)
        except UnreadableSlice as error:
            assert str(error).endswith(".")
