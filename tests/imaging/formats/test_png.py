from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from covidct.imaging.formats.png import encode_png

_SIDES = st.integers(1, 40)


@given(st.tuples(_SIDES, _SIDES).flatmap(lambda shape: arrays(np.uint8, shape)))
def test_grey_pixels_come_back_as_they_were(pixels):
    with Image.open(BytesIO(encode_png(pixels))) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), pixels)


@given(st.tuples(_SIDES, _SIDES, st.just(3)).flatmap(lambda shape: arrays(np.uint8, shape)))
def test_colours_come_back_as_they_were(pixels):
    data = encode_png(pixels)
    with Image.open(BytesIO(data)) as picture:
        assert picture.mode == "RGB"
        assert np.array_equal(np.asarray(picture), pixels)
    by_libpng = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(by_libpng, pixels)


def test_a_part_of_a_picture_is_stored_alone(phantoms):
    part = phantoms[0].ct_slice.pixels[40:300:2, 100:17:-1]
    with Image.open(BytesIO(encode_png(part))) as picture:
        assert np.array_equal(np.asarray(picture), part)


def test_a_slice_takes_no_more_room_than_by_libpng(phantoms):
    pixels = phantoms[0].ct_slice.pixels
    assert len(encode_png(pixels)) < 1.1 * len(cv2.imencode(".png", pixels)[1])


@pytest.mark.parametrize("text", ["", "Made by covidct\nof one slice", "not in Latin-1: ≥ 肺"])
def test_texts_are_carried(text):
    data = encode_png(np.eye(3, dtype=np.uint8), {"Description": text, "Software": "covidct"})
    with Image.open(BytesIO(data)) as picture:
        picture.load()
        assert picture.text == {"Description": text, "Software": "covidct"}
