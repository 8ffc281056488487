"""Overlays as DICOM secondary captures (PS3.3 section A.8.1), for a viewer or an archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.errors import BytesLengthException
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from covidct.errors import UnreadableSlice
from covidct.imaging.formats.pixels import DECODING_ERRORS
from covidct.messages import N_
from covidct.reports.words import derivation

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard

UTF8 = "ISO_IR 192"
_MUST_BE_THERE = (  # type 2: empty where unknown
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)
_KEPT_IF_THERE = (
    "IssuerOfPatientID",
    "OtherPatientIDs",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyDescription",
    "StudyInstanceUID",
)
_OF_THE_SLICE = ("SOPClassUID", "SOPInstanceUID", "ImageType", "BurnedInAnnotation")


@dataclass(frozen=True, slots=True)
class CaptureSeries:
    """A series of secondary captures of one study.

    Attributes:
        card: of the model that drew the evidence.
        made: when.
        series_uid: new for each series.
        study_uid: new as well; a study that is kept has its own.
    """

    card: ModelCard
    made: datetime
    series_uid: str = field(default_factory=generate_uid)
    study_uid: str = field(default_factory=generate_uid)

    def capture(
        self,
        overlay: np.ndarray,
        number: int,
        spacing_mm: tuple[float, float] | None = None,
        source: bytes | None = None,
        frame: int | None = None,
    ) -> Dataset:
        """The DICOM object of one overlay.

        Args:
            overlay: RGB uint8 (H, W, 3).
            number: of the slice in its series, from 1.
            spacing_mm: between (rows, columns).
            source: the DICOM file of the slice, whose patient and study are to be kept; without
                it nothing in the capture tells of them.
            frame: of the slice in a file of several, from 1.

        Raises:
            UnreadableSlice: the header of the source is damaged.
        """
        capture = Dataset()
        capture.SpecificCharacterSet = UTF8
        for keyword in _MUST_BE_THERE:
            setattr(capture, keyword, None)
        capture.StudyInstanceUID = self.study_uid
        if source is not None:
            _keep_identifiers(capture, source, frame)
        self._describe(capture, number)
        if spacing_mm:
            capture.PixelSpacing = [f"{distance:.10g}" for distance in spacing_mm]
        capture.file_meta = FileMetaDataset()
        capture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        capture.set_pixel_data(overlay, "RGB", 8)
        return capture

    def _describe(self, capture: Dataset, number: int) -> None:
        """What the capture is, whoever the patient is."""
        capture.SOPClassUID = SecondaryCaptureImageStorage
        capture.InstanceCreationDate = capture.ContentDate = f"{self.made:%Y%m%d}"
        capture.InstanceCreationTime = capture.ContentTime = f"{self.made:%H%M%S}"
        capture.Modality, capture.ConversionType = "OT", "WSD"
        capture.BodyPartExamined = "CHEST"
        capture.Manufacturer = "covidct"
        capture.SeriesInstanceUID, capture.SeriesNumber = self.series_uid, None
        capture.SeriesDescription = "covidct heat map, research use only"
        capture.InstanceNumber = number
        capture.ImageType = ["DERIVED", "SECONDARY"]
        capture.PatientOrientation = None
        capture.DerivationDescription = derivation(self.card)


def _keep_identifiers(capture: Dataset, source: bytes, frame: int | None) -> None:
    """Copy who and which study it is, and point to the slice that the overlay was made of."""
    with _damage_told():
        header = keep_identifiers(capture, source, _OF_THE_SLICE)
        burned_in = header.get("BurnedInAnnotation")
        if burned_in or "ORIGINAL" in (header.get("ImageType") or ()):
            capture.BurnedInAnnotation = burned_in or "NO"
        if header.get("SOPClassUID") and header.get("SOPInstanceUID"):
            capture.SourceImageSequence = [_reference(header, frame)]


def keep_identifiers(made: Dataset, source: bytes, also_read: Sequence[str] = ()) -> Dataset:
    """Copy who and which study it is.

    Args:
        made: the object that is given them.
        source: the DICOM file that holds them.
        also_read: further keywords.

    Returns:
        The header, as far as it was read.

    Raises:
        UnreadableSlice: it is damaged.
    """
    identifiers = (*_MUST_BE_THERE, *_KEPT_IF_THERE)
    with _damage_told():
        header = dcmread(
            BytesIO(source),
            stop_before_pixels=True,
            force=True,
            specific_tags=["SpecificCharacterSet", *identifiers, *also_read],
        )
        header.decode()
        for keyword in identifiers:
            if header.get(keyword):
                made.add(header[keyword])
    return header


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except (*DECODING_ERRORS, BytesLengthException):
        raise UnreadableSlice(
            N_("The identifiers in the header of the DICOM file cannot be read.")
        ) from None


def _reference(header: Dataset, frame: int | None) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = header.SOPClassUID
    reference.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if frame is not None:
        reference.ReferencedFrameNumber = frame
    return reference


def file_of(dataset: Dataset) -> bytes:
    """A DICOM object as the bytes of a file (PS3.10)."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
