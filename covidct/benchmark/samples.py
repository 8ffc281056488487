"""Synthetic slices as the files that people have."""

import zipfile
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from covidct.imaging.phantom import phantom_slice

_AIR, _UNITS = -1350, 1500  # Hounsfield units of the lung window, which a phantom is drawn in
_BODIES = 8
_SERIES = 4  # on a CD


@cache
def _drawn(body: int, side: int) -> np.ndarray:
    return phantom_slice(body, body % 4, side).ct_slice.pixels


def _pixels(number: int, side: int) -> np.ndarray:
    """Grey levels of a slice; no two of the first 65,536 are the same."""
    pixels = _drawn(number % _BODIES, side).copy()
    pixels[0, :2] = divmod(number, 256)
    return pixels


def png_slice(number: int, side: int) -> bytes:
    """A slice of so many rows and columns as a PNG file."""
    return cv2.imencode(".png", _pixels(number, side))[1].tobytes()


def dicom_slice(number: int, side: int, series: str = "1.2.3") -> bytes:
    """A slice of a series, counted from 0, as a DICOM file with Hounsfield units."""
    values = np.rint(_pixels(number, side) * (_UNITS / 255)).astype(np.uint16)
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"{series}.{number + 1}"
    dataset.SeriesInstanceUID, dataset.InstanceNumber = series, str(number + 1)
    dataset.StudyInstanceUID, dataset.PatientID = "1.2", "synthetic"
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient = [-150.0, -150.0, 2.5 * number]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.RescaleIntercept, dataset.RescaleSlope = [0.7, 0.7], _AIR, 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelRepresentation, dataset.BitsAllocated = 0, 16
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.Rows, dataset.Columns = values.shape
    dataset.PixelData = values.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write_folder(folder: Path, slices: int, side: int) -> Path:
    """A folder of so many PNG files."""
    folder.mkdir()
    for number in range(slices):
        (folder / f"{number:04d}.png").write_bytes(png_slice(number, side))
    return folder


def write_archive(path: Path, numbers: Iterable[int], side: int) -> Path:
    """A ZIP of the PNG files of these slices."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in numbers:
            archive.writestr(f"{number:04d}.png", png_slice(number, side))
    return path


def series_archive(slices: int, side: int) -> bytes:
    """A ZIP of one DICOM series."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(slices):
            archive.writestr(f"{number:04d}.dcm", dicom_slice(number, side))
    return file.getvalue()


def write_series(folder: Path, slices: int, side: int) -> Path:
    """A folder of one DICOM series."""
    folder.mkdir()
    for number in range(slices):
        (folder / f"{number:04d}.dcm").write_bytes(dicom_slice(number, side))
    return folder


def write_disc(folder: Path, files: int, side: int) -> Path:
    """A CD of so many files: four series mixed into each other, and as the tenth file of each ten a
    viewer's, a text or a thumbnail."""
    folder.mkdir()
    thumbnail = cv2.imencode(".jpg", cv2.resize(_drawn(0, side), (64, 64)))[1].tobytes()
    beside = (("dll", b"MZ" + bytes(10_000)), ("txt", b"Read me."), ("jpg", thumbnail))
    for number in range(files):
        if number % 10 == 9:
            ending, data = beside[number // 10 % len(beside)]
            (folder / f"BESIDE{number}.{ending}").write_bytes(data)
        else:
            data = dicom_slice(number // _SERIES, side, f"1.2.{3 + number % _SERIES}")
            (folder / f"I{number:05d}").write_bytes(data)
    return folder
