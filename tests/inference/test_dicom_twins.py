"""The same slices in other DICOM encodings get the same verdicts."""

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from covidct.imaging.file import File
from covidct.imaging.gather import gather


@pytest.fixture
def probabilities(shipped):
    def classify(files: list[bytes]) -> list[float]:
        (series,) = gather(File("slice", lambda data=data: data) for data in files)
        looked = shipped.predict_many(list(series))
        return [predicted.prediction.probability for predicted in looked]

    return classify


def test_lossless_twins_get_the_same_verdict_and_lossy_ones_nearly(
    probabilities, scan, volume, ct_header, ct_file
):
    few = slice(0, 7, 3)
    expected = probabilities(scan[few])
    assert len(set(expected)) == len(expected)  # else their order would not show

    lossless = {
        uid.JPEGLosslessSV1: lambda v: imagecodecs.jpeg8_encode(v, lossless=True, bitspersample=12),
        uid.JPEGLSLossless: imagecodecs.jpegls_encode,
        uid.JPEG2000Lossless: lambda v: imagecodecs.jpeg2k_encode(v, level=0, codecformat="j2k"),
    }
    for syntax, encode in lossless.items():
        headers = [ct_header(number) for number in range(7)]
        twins = [ct_file(h, v, syntax, [encode(v)]) for h, v in zip(headers, volume, strict=True)]
        assert probabilities(twins[few][::-1]) == expected, syntax

    shallow = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "RescaleSlope": "6"}
    frames = [np.rint(values / 6).astype(np.uint8) for values in volume]
    baseline = [
        ct_file(ct_header(number, **shallow), frame, uid.JPEGBaseline8Bit, [jpeg])
        for number, frame in enumerate(frames)
        for jpeg in [imagecodecs.jpeg8_encode(frame, level=95)]
    ]
    assert probabilities(baseline[few]) == pytest.approx(expected, abs=0.2)
