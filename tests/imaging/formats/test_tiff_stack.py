from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.dicom.window import LUNG
from covidct.imaging.file import File
from covidct.imaging.formats import tiff_stack
from covidct.imaging.gather import gather
from covidct.imaging.readers import read_hounsfield, read_slice
from covidct.imaging.series import Series


@pytest.fixture
def stack(encode):
    """A TIFF file of several pages."""

    def write(pages, **options) -> bytes:
        first, *rest = map(Image.fromarray, pages)
        return encode(first, "TIFF", save_all=True, append_images=rest, **options)

    return write


@pytest.fixture
def pages(greys) -> list[np.ndarray]:
    return [np.roll(greys, 7 * number, axis=1) for number in range(5)]


def as_series(data: bytes) -> Series:
    (series,) = gather([File("stack", lambda: data)])
    assert isinstance(series, Series)
    return series


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_the_pages_of_a_stack_are_the_slices_of_a_series(stack, pages, compression):
    series = as_series(stack(pages, compression=compression))
    assert [place.frame for place in series.places] == [1, 2, 3, 4, 5]
    assert np.array_equal([one.pixels for one in series], pages)
    for index in (4, 0, 2):
        assert np.array_equal(series.read(index).pixels, pages[index])


def test_hounsfield_units_in_a_stack_get_the_lung_window(stack, hounsfield):
    hounsfield[40:44, 58:62] = 700  # bone
    deep = [(hounsfield + 1024 + step).astype(np.uint16) for step in range(3)]
    for step, ct_slice in enumerate(as_series(stack(deep))):
        assert np.array_equal(ct_slice.pixels, LUNG.apply(hounsfield + step))


def test_a_page_is_read_by_its_number(stack, pages):
    data = stack(pages)
    assert np.array_equal(read_slice(data, 3).pixels, pages[3])
    assert read_hounsfield(data, 3) is None
    with pytest.raises(UnsupportedEncoding, match="holds 5 slices; open it as a series"):
        read_slice(data)
    with pytest.raises(UnreadableSlice, match="no such frame: it holds 5"):
        read_slice(data, 5)


def test_a_thumbnail_among_the_pages_is_set_aside(stack, pages):
    series = as_series(stack([pages[0], pages[0][::2, ::2].copy(), *pages[1:]]))
    assert np.array_equal([one.pixels for one in series], pages)
    assert [(left.place.frame, left.reason) for left in series.set_aside] == [
        (2, tiff_stack.OTHER_SIZE)
    ]


@pytest.mark.parametrize("kind", [1, 4])
def test_a_reduced_copy_or_a_mask_that_says_so_is_no_slice(greys, encode, kind):
    second = Image.fromarray(greys // 2)
    second.encoderinfo = {"tiffinfo": {254: kind}}
    data = encode(Image.fromarray(greys), "TIFF", save_all=True, append_images=[second])
    series = as_series(data)
    assert np.array_equal([one.pixels for one in series], [greys])
    assert len(series.set_aside) == 1
    assert np.array_equal(read_slice(data).pixels, greys)


def test_pages_of_different_sizes_are_all_kept_where_none_is_usual(greys, encode):
    second = Image.fromarray(greys[:70].copy())
    data = encode(Image.fromarray(greys), "TIFF", save_all=True, append_images=[second])
    assert [one.shape for one in as_series(data)] == [(80, 96), (70, 96)]


def test_more_pages_than_are_read_are_refused(stack, pages, monkeypatch):
    data = stack(pages)
    monkeypatch.setattr("covidct.imaging.formats.tiff_stack.MAX_FRAMES", 4)
    with pytest.raises(UnreadableSlice, match="more than 4 pages"):
        read_slice(data, 0)


def test_a_page_that_is_damaged_is_refused_alone(stack, pages):
    data = bytearray(stack(pages, compression="tiff_lzw"))
    with Image.open(BytesIO(data)) as image:
        image.seek(2)
        at = image.tag_v2[273][0]
    data[at : at + 60] = bytes(60)
    series, read = as_series(bytes(data)), []
    for index in range(5):
        try:
            read.append(np.array_equal(series.read(index).pixels, pages[index]))
        except UnreadableSlice as error:
            assert "TIFF file is" in str(error)
            read.append(index)
    assert read == [True, True, 2, True, True]
