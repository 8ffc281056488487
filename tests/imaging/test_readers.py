import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.dicom.window import LUNG
from covidct.imaging.formats import pixels as limits
from covidct.imaging.readers import read_slice

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG file, chunk by chunk, for what Pillow does not write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), *(chunk(m[:4], m[4:]) for m in more)]
    body = [chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks + body)


def png_rows(values: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in values)


def twins(greys: np.ndarray, encode) -> dict[str, bytes]:
    """The same grey pixels in every lossless container."""
    image = Image.fromarray(greys)
    rgb = np.dstack([greys] * 3)
    alpha = np.random.default_rng(1).integers(0, 256, greys.shape, dtype=np.uint8)
    palette = Image.fromarray(greys, "L").copy()
    palette.putpalette([level for level in range(256) for _ in range(3)])
    deep = greys.astype(np.uint16)
    return {
        "png grey": encode(image, "PNG"),
        "png grey, one level transparent": encode(image, "PNG", transparency=60),
        "png grey and alpha": encode(np.dstack([greys, alpha]), "PNG"),
        "png colour": encode(rgb, "PNG"),
        "png colour, one transparent": encode(Image.fromarray(rgb), "PNG", transparency=(9, 9, 9)),
        "png colour and alpha": encode(np.dstack([rgb, alpha]), "PNG"),
        "png palette": encode(palette, "PNG"),
        "png palette, one transparent": encode(palette, "PNG", transparency=70),
        "png palette and alpha": encode(palette, "PNG", transparency=bytes(range(256))),
        "png 16-bit": encode(deep * 257, "PNG"),
        "png 16-bit, low byte only": encode(deep, "PNG"),
        "png 16-bit, high byte only": encode(deep * 256, "PNG"),
        "png 16-bit colour": cv2.imencode(".png", np.dstack([deep * 257] * 3))[1].tobytes(),
        "png 16-bit grey and alpha": png(
            96, 80, 16, 4, png_rows(np.dstack([deep * 257, deep]).astype(">u2"))
        ),
        "tiff grey": encode(image, "TIFF"),
        "tiff, deflated": encode(image, "TIFF", compression="tiff_adobe_deflate"),
        "tiff colour": encode(rgb, "TIFF", compression="tiff_lzw"),
        "tiff palette": encode(palette, "TIFF"),
        "tiff 16-bit": encode(deep * 257, "TIFF"),
        "tiff 16-bit colour": cv2.imencode(".tiff", np.dstack([deep * 257] * 3))[1].tobytes(),
        "tiff white is zero": encode(image, "TIFF", tiffinfo={262: 0}),
        "tiff 16-bit white is zero": encode(65535 - deep * 257, "TIFF", tiffinfo={262: 0}),
        "tiff float": encode(greys.astype(np.float32), "TIFF"),
        "bmp grey": encode(image, "BMP"),
        "bmp colour": encode(rgb, "BMP"),
    }


def test_the_container_does_not_show_in_the_pixels(greys, encode):
    for name, data in twins(greys, encode).items():
        ct_slice = read_slice(data)
        assert np.array_equal(ct_slice.pixels, greys), name
        assert ct_slice.notes == (), name
        assert ct_slice.source == name.split()[0].strip(",").upper()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_reads_as_pillow_shows_it(greys, encode, mode):
    smooth = cv2.GaussianBlur(greys, (0, 0), 3)
    pixels = read_slice(encode(Image.fromarray(smooth).convert(mode), "JPEG", quality=95)).pixels
    assert np.abs(pixels.astype(int) - smooth).max() <= 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_picture_reads_as_its_upright_twin(greys, encode, kind, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = {
        1: greys,
        2: greys[:, ::-1],
        3: greys[::-1, ::-1],
        4: greys[::-1],
        5: greys.T,
        6: np.rot90(greys),
        7: greys[::-1, ::-1].T,
        8: np.rot90(greys, -1),
    }[orientation]
    options = {"quality": 100} if kind == "JPEG" else {}
    pixels = read_slice(encode(np.ascontiguousarray(stored), kind, exif=exif, **options)).pixels
    assert pixels.shape == greys.shape
    assert np.abs(pixels.astype(int) - greys).max() <= (2 if kind == "JPEG" else 0)


def test_deep_colours_are_turned_upright_as_well(greys):
    deep = np.dstack([greys.astype(np.uint16) * 257] * 3)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    rows = png_rows(np.ascontiguousarray(np.rot90(deep)).astype(">u2"))
    data = png(80, 96, 16, 2, rows, b"eXIf" + exif.tobytes()[6:])
    assert np.array_equal(read_slice(data).pixels, greys)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_leaves_the_picture_as_stored(greys, encode):
    data = encode(greys, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01")
    assert read_slice(data).shape == greys.shape


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_values_are_stretched_over_their_own_range_and_said_so(encode, kind):
    values = np.random.default_rng(0).integers(12, 4012, (64, 64)).astype(np.uint16)
    values[0, :2] = 12, 4011
    ct_slice = read_slice(encode(values, kind))
    assert np.array_equal(ct_slice.pixels, np.rint((values - 12.0) * 255 / 3999))
    assert ct_slice.notes == (
        "16-bit image: its own range from 12 to 4011 was stretched to 8 bits.",
    )


def test_grey_is_itu_r_601_and_colours_are_said(greys, encode):
    rgb = np.dstack([greys] * 3)
    rgb[10:20, 10:20] = 255, 0, 0
    ct_slice = read_slice(encode(rgb, "PNG"))
    assert (ct_slice.pixels[10:20, 10:20] == 76).all()
    assert ct_slice.notes == ("Colours, such as marks, were turned to grey.",)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_one_bit_pictures_read_with_a_note(greys, encode, kind):
    ct_slice = read_slice(encode(Image.fromarray(greys > 100), kind))
    assert np.array_equal(ct_slice.pixels, np.where(greys > 100, 255, 0))
    assert ct_slice.notes == ("The image has only two grey levels.",)


def test_two_views_of_a_phone_read_as_the_first(greys, encode):
    both = {"save_all": True, "append_images": [Image.new("L", (96, 80))]}
    data = encode(greys, "MPO", quality=100, **both)
    assert np.abs(read_slice(data).pixels.astype(int) - greys).max() <= 2


def test_a_path_reads_as_its_bytes_whatever_its_name(greys, encode, tmp_path):
    path = tmp_path / "100% (a) slice.dcm"
    path.write_bytes(encode(greys, "PNG"))
    assert np.array_equal(read_slice(path).pixels, greys)
    assert np.array_equal(read_slice(str(path)).pixels, greys)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty"),
        (bytes(range(128, 256)) * 9, "not an image in a format that is known"),
        (b"\x08\0 or not DICOM at all" * 9, "not an image in a format that is known"),
        ("Findings: ground glass, König".encode(), "This is a text file"),
        ("Befund".encode("utf-16"), "This is a text file"),
        (b"BMW and other words " * 9, "This is a text file"),
        (b"%PDF-1.7\n%\xe2\xe3", "This is a PDF file"),
        (b"GIF89a" + bytes(99), "This is a GIF image"),
        (b"RIFF\1\2\3\4WEBPVP8 ", "The WebP file is damaged"),
        (b"RIFF\1\2\3\4AVI LIST", "This is an AVI film"),
        (b"PK\3\4" + bytes(99), "This is a ZIP archive"),
        (b"\x1f\x8b\x08" + bytes(99), "gzip archive"),
        (bytes(344) + b"n+1\0", "NIfTI volume is damaged"),
        (bytes(344) + b"ni1\0", "NIfTI header without its voxels"),
        (b"\0\0\0\x18ftypheic" + bytes(9), "The HEIC file is damaged"),
        (b"\0\0\0\x18ftypisom" + bytes(9), "MP4 film"),
        (b"<?xml version='1.0'?>\n<svg xmlns=''/>", "This is an SVG drawing"),
        (b"<!DOCTYPE html><html>", "This is a web page"),
        (b"\x93NUMPY\1\0", "This is a NumPy array"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(data, sentence):
    with pytest.raises(UnreadableSlice, match=sentence):
        read_slice(data)


@pytest.mark.parametrize("shape", [(1, 1), (63, 200), (200, 63)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_pictures_below_64_pixels_a_side_are_refused(encode, kind, shape):
    with pytest.raises(UnreadableSlice, match=f"too small: {shape[1]} × {shape[0]} pixels"):
        read_slice(encode(np.zeros(shape, np.uint8), kind))


def test_64_pixels_a_side_are_enough(greys, encode):
    assert read_slice(encode(greys[:64, :64], "PNG")).shape == (64, 64)


def oversized(kind: str, width: int, height: int) -> bytes:
    """A file whose header declares a size that its few bytes do not hold."""
    if kind == "PNG":
        return png(width, height, 8, 0, b"")
    if kind == "BMP":
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header
    if kind == "JPEG":
        scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0"
        return (
            b"\xff\xd8\xff\xc0\0\x0b\x08" + struct.pack(">HH", height, width) + b"\1\1\x11\0" + scan
        )
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (262, 3, 1),
        (273, 4, 8),
        (279, 4, 9),
    ]
    tags = b"".join(struct.pack("<HHII", tag, kind_, 1, value) for tag, kind_, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + tags + bytes(4)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("size", [(7072, 7072), (10_000, 10_000), (60_000, 60_000)])
def test_pictures_above_50_megapixels_are_refused_from_the_header(kind, size):
    with pytest.raises(UnreadableSlice, match=f"too large: {size[0]} × {size[1]} pixels"):
        read_slice(oversized(kind, *size))


def test_files_above_the_byte_limit_are_refused_unread(monkeypatch, greys, encode):
    monkeypatch.setattr("covidct.imaging.readers.MAX_BYTES", 1000)
    with pytest.raises(UnreadableSlice, match="larger than"):
        read_slice(encode(greys, "PNG"))


@pytest.mark.parametrize(
    ("kind", "sentence"), [("PNG", "several pictures"), ("TIFF", "holds 2 slices")]
)
def test_several_pictures_in_one_file_are_refused(greys, encode, kind, sentence):
    image = Image.fromarray(greys)
    second = Image.fromarray(greys[::-1].copy())
    data = encode(image, kind, save_all=True, append_images=[second])
    with pytest.raises(UnsupportedEncoding, match=sentence):
        read_slice(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_pictures_are_called_incomplete(greys, encode, kind, share):
    data = encode(greys, kind)
    with pytest.raises(UnreadableSlice, match=f"{kind} file is incomplete"):
        read_slice(data[: int(len(data) * share)])


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_truncated_tiff_is_refused(greys, encode, compression, share):
    data = encode(greys, "TIFF", compression=compression)
    with pytest.raises(UnreadableSlice, match="incomplete"):
        read_slice(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_constant_pictures_are_refused(encode, kind):
    with pytest.raises(UnreadableSlice, match="All pixels are the same"):
        read_slice(encode(np.full((80, 80), 77, np.uint8), kind))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_numbers_are_refused(greys, encode, value):
    values = greys.astype(np.float32)
    values[3, 4] = value
    with pytest.raises(UnreadableSlice, match="not numbers"):
        read_slice(encode(values, "TIFF"))


def test_text_bombs_are_refused(greys):
    text = b"zTXtComment\0\0" + zlib.compress(bytes(30_000_000))
    with pytest.raises(UnreadableSlice, match="PNG file"):
        read_slice(png(96, 80, 8, 0, png_rows(greys), text))


@pytest.mark.parametrize("make", [lambda p: p / "absent.png", lambda p: p, lambda p: f"{p}/a\0b"])
def test_a_path_that_cannot_be_opened_is_said_without_its_name(tmp_path, make):
    folder = tmp_path / "DoeJohn"
    folder.mkdir()
    with pytest.raises(UnreadableSlice) as caught:
        read_slice(make(folder))
    assert "DoeJohn" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_mutated_files_read_or_are_refused(greys, hounsfield, encode, dicom):
    rng = np.random.default_rng(20)
    samples = list(twins(greys, encode).values())
    samples += [encode(greys, "JPEG"), encode(greys, "JPEG", progressive=True)]
    samples += [dicom(hounsfield), dicom(hounsfield, RescaleIntercept="0", WindowWidth="1500")]
    for _ in range(400):
        data = bytearray(samples[rng.integers(len(samples))])
        reach = len(data) if rng.random() < 0.5 else min(len(data), 400)
        for _ in range(rng.integers(1, 9)):
            data[rng.integers(reach)] = rng.integers(256)
        if rng.random() < 0.3:
            del data[rng.integers(len(data)) :]
        try:
            ct_slice = read_slice(bytes(data))
        except UnreadableSlice as error:
            assert str(error).endswith(".")
        else:
            assert min(ct_slice.shape) >= limits.MIN_SIDE


@needs_data
def test_every_file_of_covid_ct_of_sufficient_size_reads():
    files = sorted((DATA / "COVID-CT" / "Images-processed").glob("*/*"))
    assert len(files) == 543
    for file in files:
        with Image.open(file) as image:
            too_small = min(image.size) < limits.MIN_SIDE
        if too_small:
            with pytest.raises(UnreadableSlice, match="too small"):
                read_slice(file)
        else:
            assert read_slice(file).pixels.std() > 10


@pytest.mark.parametrize(
    ("kind", "offset", "dtype"),
    [("PNG", 32768, np.uint16), ("TIFF", 32768, np.uint16), ("TIFF", 0, np.float32)],
)
def test_hounsfield_units_in_a_deep_picture_get_the_lung_window(
    hounsfield, encode, kind, offset, dtype
):
    values = hounsfield.astype(np.int32)
    values[:2, :2] = 3071  # metal must not shift the rest
    found = read_slice(encode((values + offset).astype(dtype), kind))
    assert np.array_equal(found.pixels, LUNG.apply(values))
    assert found.notes == (
        f"The values are Hounsfield units (offset {offset}): lung window for the network.",
    )


def test_a_jpeg_file_may_lack_its_end_mark_but_no_samples(greys, encode):
    data = encode(greys, "JPEG")
    assert data.endswith(b"\xff\xd9")
    assert np.array_equal(read_slice(data[:-2]).pixels, read_slice(data).pixels)
    with pytest.raises(UnreadableSlice, match="incomplete"):
        read_slice(data[:-40])
