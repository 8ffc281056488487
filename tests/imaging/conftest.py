"""Small pictures and DICOM objects that the imaging tests make for themselves."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian


@pytest.fixture
def greys() -> np.ndarray:
    """A picture with every property that can get lost: no symmetry, many greys; uint8 (80, 96)."""
    noise = np.random.default_rng(0).integers(0, 60, (80, 96))
    return (noise + np.linspace(10, 90, 80)[:, None] + np.linspace(0, 90, 96)).astype(np.uint8)


@pytest.fixture
def hounsfield() -> np.ndarray:
    """A body with lungs in air, in Hounsfield units; int16 (96, 120)."""
    rows, columns = np.mgrid[-1:1:96j, -1:1:120j]
    values = np.full((96, 120), -1000)
    values[rows**2 + columns**2 < 0.8] = 40
    values[rows**2 + (abs(columns) - 0.4) ** 2 < 0.09] = -850
    return (values + np.random.default_rng(0).integers(-20, 20, values.shape)).astype(np.int16)


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Save a picture, given as an array or an Image, in a format of Pillow."""

    def save(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
        buffer = BytesIO()
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return save


def _dataset(values: np.ndarray, **elements: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    dataset.PatientName = "Secret^Patient"
    dataset.Modality = "CT"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = values.shape[:2]
    dataset.BitsAllocated = dataset.BitsStored = 8 * values.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.fixture
def dicom() -> Callable[..., bytes]:
    """A DICOM file around stored values; further elements by keyword, None to leave one out."""

    def write(
        values: np.ndarray, syntax: str = ExplicitVRLittleEndian, **elements: object
    ) -> bytes:
        present = {k: v for k, v in elements.items() if v is not None}
        dataset = _dataset(values, **present)
        for keyword in elements.keys() - present.keys():
            delattr(dataset, keyword)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    return write
