import cv2
import numpy as np
import pytest

from covidct.evaluation.audit.shortcuts import network_features, picture_features
from covidct.imaging.phantom import phantom_slice


@pytest.fixture(scope="module")
def pixels():
    return phantom_slice(3, size=256).ct_slice.pixels


def with_covers(grey, cover):
    return np.stack([grey, 255 * cover.astype(np.uint8), np.zeros_like(grey)], axis=-1)


def test_features_are_finite_numbers_of_one_length_whatever_the_picture(pixels):
    def of_network(grey):
        return network_features(with_covers(grey, grey > 100))

    flat = np.full((64, 90), 7, np.uint8)
    tall = np.ascontiguousarray(pixels[:, 100:170])
    for features in (picture_features, of_network):
        expected = {name: values.shape for name, values in features(pixels).items()}
        for other in (flat, tall):
            found = features(other)
            assert {name: values.shape for name, values in found.items()} == expected
            assert all(np.isfinite(values).all() for values in found.values())


def test_shape_and_size_are_those_of_the_thorax_whatever_its_greys():
    cover = np.zeros((60, 80), bool)
    cover[10:40, 20:30] = True
    features = network_features(with_covers(np.full((60, 80), 217, np.uint8), cover))
    assert features["shape"] == pytest.approx([10 / 30, 1])
    assert features["size"] == pytest.approx([300 / 4800, 30, 10])
    greys = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    other = network_features(with_covers(greys, np.roll(cover, (-10, 5), (0, 1))))
    assert other["shape"] == pytest.approx(features["shape"])
    assert other["size"] == pytest.approx(features["size"])


def test_the_border_is_all_that_border_features_see(pixels):
    framed = cv2.copyMakeBorder(pixels[1:-1, 1:-1], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=200)
    assert not np.allclose(picture_features(framed)["border"], picture_features(pixels)["border"])
    inner = pixels.copy()
    inner[1:-1, 1:-1] = 0
    assert np.allclose(picture_features(inner)["border"], picture_features(pixels)["border"])


def test_sharpness_features_see_blur_and_compression(pixels):
    laplacian, fine, *blocks = picture_features(pixels)["sharpness and compression"]
    blurred = picture_features(cv2.GaussianBlur(pixels, (0, 0), 2))["sharpness and compression"]
    assert blurred[0] < laplacian / 2
    assert blurred[1] < fine / 2
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    stored = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
    compressed = picture_features(stored)["sharpness and compression"]
    assert min(compressed[2:]) > max(blocks) + 0.1
