"""WebP, AVIF, HEIC, JPEG 2000 and JPEG XL, beside the kinds of `tests/imaging/test_readers`."""

import struct
from io import BytesIO

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.dicom.window import LUNG
from covidct.imaging.formats import jpeg_xl
from covidct.imaging.readers import read_slice


def _heif(picture: np.ndarray, **options) -> bytes:
    file, mode = BytesIO(), "RGB" if picture.ndim == 3 else "L"
    image = pillow_heif.from_bytes(mode, picture.shape[1::-1], picture.tobytes())
    image.save(file, quality=-1, chroma=444, **options)
    return file.getvalue()


def _pillow(kind: str, **options):
    def encode(picture: np.ndarray) -> bytes:
        file = BytesIO()
        Image.fromarray(picture).save(file, kind, **options)
        return file.getvalue()

    return encode


ENCODERS = {
    "WebP": _pillow("WEBP", lossless=True),
    "AVIF": _pillow("AVIF", quality=100, subsampling="4:4:4"),
    "HEIC": _heif,
    "JPEG 2000": _pillow("JPEG2000"),
    "JPEG 2000 stream": lambda p: imagecodecs.jpeg2k_encode(p, level=0, codecformat="j2k"),
    "JPEG XL": lambda p: imagecodecs.jpegxl_encode(p, lossless=True),
    "JPEG XL stream": lambda p: imagecodecs.jpegxl_encode(p, lossless=True, usecontainer=False),
}
DEEP = [kind for kind in ENCODERS if kind.startswith("JPEG")]


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_container_does_not_show_in_the_pixels(greys, kind, channels):
    picture = greys if channels == 1 else np.dstack([greys] * channels)
    found = read_slice(ENCODERS[kind](picture))
    assert np.abs(found.pixels.astype(int) - greys).max() <= (1 if kind in ("AVIF", "HEIC") else 0)
    assert (found.notes, found.source) == ((), kind.removesuffix(" stream"))


@pytest.mark.parametrize("kind", DEEP)
def test_deep_values_keep_their_depth(hounsfield, kind):
    hounsfield[40:44, 58:62] = 700  # bone
    found = read_slice(ENCODERS[kind]((hounsfield + 1024).astype(np.uint16)))
    assert np.array_equal(found.pixels, LUNG.apply(hounsfield))
    assert "offset 1024" in found.notes[0]


def test_signed_values_of_jpeg_2000_are_hounsfield_units(hounsfield):
    hounsfield[40:44, 58:62] = 700  # bone
    data = imagecodecs.jpeg2k_encode(hounsfield, level=0, codecformat="j2k")
    assert np.array_equal(read_slice(data).pixels, LUNG.apply(hounsfield))


def test_high_throughput_jpeg_2000_is_read(greys):
    assert np.array_equal(read_slice(imagecodecs.htj2k_encode(greys)).pixels, greys)


@pytest.mark.parametrize("kind", ["WebP", "AVIF", "HEIC"])
def test_a_photograph_held_upright_is_read_upright(greys, kind):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = np.dstack([np.ascontiguousarray(np.rot90(greys))] * 3)
    encode = {
        "WebP": _pillow("WEBP", lossless=True, exif=exif),
        "AVIF": _pillow("AVIF", quality=100, exif=exif),
        "HEIC": lambda picture: _heif(picture, exif=exif.tobytes()),
    }[kind]
    pixels = read_slice(encode(stored)).pixels
    assert pixels.shape == greys.shape
    assert np.abs(pixels.astype(int) - greys).max() <= 8


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_film_is_refused(greys, kind, encode):
    frames = [Image.fromarray(np.roll(greys, step, axis=0)) for step in range(3)]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedEncoding, match="several pictures"):
        read_slice(data)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_picture_that_is_cut_off_is_refused(greys, kind, share):
    data = ENCODERS[kind](np.dstack([greys] * 3))
    with pytest.raises(UnreadableSlice, match="incomplete"):
        read_slice(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_picture_that_is_too_small_is_refused(greys, kind):
    with pytest.raises(UnreadableSlice, match="too small"):
        read_slice(ENCODERS[kind](np.dstack([greys[:63]] * 3)))


@pytest.mark.parametrize(
    "shape", [(64, 64), (65, 99), (80, 96), (512, 512), (300, 450), (64, 9000)]
)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_size_of_a_jpeg_xl_picture_is_known_before_it_is_decoded(shape, channels, dtype):
    picture = np.ones((*shape, channels) if channels > 1 else shape, dtype)
    for container in (True, False):
        data = imagecodecs.jpegxl_encode(picture, usecontainer=container)
        assert jpeg_xl.declared_size(data) == shape


def test_a_webp_picture_that_claims_too_much_is_refused(greys):
    data = ENCODERS["WebP"](np.dstack([greys] * 3))
    canvas = struct.pack("<I", 16382)[:3] * 2
    claim = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    body = claim + data[12:]
    with pytest.raises(UnreadableSlice, match="too large"):
        read_slice(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_jpeg_2000_in_too_many_layers_precincts_or_tiles_is_refused(greys):
    stream = ENCODERS["JPEG 2000 stream"](greys)
    style = stream.index(b"\xff\x52")
    layers = stream[: style + 6] + b"\xff\xff" + stream[style + 8 :]
    tiles = stream[:24] + struct.pack(">2I", 1, 1) + stream[32:]
    for odd, said in ((layers, "far more parts"), (tiles, "damaged, incomplete or of a variant")):
        with pytest.raises(UnreadableSlice, match=said):
            read_slice(odd)


def test_mutated_pictures_are_read_or_refused(greys):
    rng = np.random.default_rng(5)
    samples = [encode(np.dstack([greys] * 3)) for encode in ENCODERS.values()]
    for _ in range(200):
        data = bytearray(samples[rng.integers(len(samples))])
        reach = len(data) if rng.random() < 0.5 else min(len(data), 200)
        for _ in range(rng.integers(1, 7)):
            data[rng.integers(reach)] = rng.integers(256)
        try:
            assert min(read_slice(bytes(data)).shape) >= 64
        except UnreadableSlice as error:
            assert str(error).endswith(".")
