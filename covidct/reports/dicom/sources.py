"""The headers of a series' slices, as far as the objects that refer to them need them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydicom import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

from covidct.errors import ExportError
from covidct.imaging.dicom.header import Header, is_dicom, read_header
from covidct.imaging.dicom.orientation import Turn, upright
from covidct.messages import N_, joined
from covidct.reports.secondary_capture import UTF8

if TYPE_CHECKING:
    from covidct.imaging.file import File
    from covidct.inference.cases import Case

_UIDS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_OF_SERIES = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID")
_IDENTIFIERS = (  # that highdicom copies; they are put into the finished object instead
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)
_IN_FRAMES = (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
_SAME = 1e-4  # of direction cosines and millimetres, beyond which they differ
_UNIT = 1e-3  # of the products of directions


class Grid(NamedTuple):
    """What the pixels of all slices have in common.

    Attributes:
        shape: rows and columns as they are stored.
        spacing_mm: between (rows, columns).
        orientation: direction cosines of rows and columns, six numbers.
        thickness_mm: of each slice; None where unknown.
    """

    shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    orientation: tuple[float, ...]
    thickness_mm: float | None


@dataclass(frozen=True, slots=True, eq=False)
class SourceSlices:
    """The slices that an object is made of, all of one series.

    Attributes:
        images: their headers without identifiers: one a file, or that of the one file of all.
        frames: their numbers in the one file of all, from 1; empty where each has its own.
        positions: float (n, 3), the first pixel of each in patient coordinates, in millimetres.
        grid: of each.
        turn: what makes a stored slice upright.
        file: of the first slice, which holds the identifiers.
    """

    images: tuple[Dataset, ...]
    frames: tuple[int, ...]
    positions: np.ndarray
    grid: Grid
    turn: Turn
    file: File


def source_slices(cases: Sequence[Case]) -> SourceSlices:
    """The sources of the objects that are made of slices.

    Args:
        cases: the slices, at least one.

    Raises:
        ExportError: their headers lack what such objects must refer to.
        UnreadableSlice: a header is damaged.
    """
    wholes = _headers(cases)
    frames = [
        wholes[case.file].of_frame((case.place.frame or 1) - 1)
        for case in cases
        if case.file and case.file in wholes
    ]
    lacking = _lacking(frames, len(wholes)) if len(frames) == len(cases) else [N_("DICOM headers")]
    if lacking:
        raise ExportError(
            N_(
                "Of these slices only secondary captures can be made: segmentation, report and map "
                "need what their headers lack ({lacking}).",
                lacking=joined(*lacking, by="; "),
            )
        )
    (file, whole), first, grid = next(iter(wholes.items())), frames[0], _grid(frames)
    together = _is_in_frames(first)
    return SourceSlices(
        (_of_frames(whole, grid),) if together else tuple(_image(one, grid) for one in frames),
        tuple(case.place.frame or 1 for case in cases) if together else (),
        np.array([_position(frame) for frame in frames]),
        grid,
        upright(first),
        file,
    )


def _headers(cases: Sequence[Case]) -> dict[File, Header]:
    """The header of each DICOM file, without its pixels."""
    wholes: dict[File, Header] = {}
    for case in cases:
        if case.file and case.file not in wholes:
            data = case.file.read()
            if is_dicom(data):
                wholes[case.file] = read_header(data).without_pixels()
    return wholes


def _lacking(frames: Sequence[Header], files: int) -> list[str]:
    """What headers must say and do not."""
    first = frames[0]
    lacking: list[str] = []
    if not all(UID(frame.text(keyword)).is_valid for frame in frames for keyword in _UIDS):
        lacking.append(N_("valid UIDs"))
    if not UID(first.text("FrameOfReferenceUID")).is_valid:
        lacking.append(N_("a frame of reference"))
    if not all(map(_is_placed, frames)):
        lacking.append(N_("orientation, position and pixel spacing"))
    if lacking:
        return lacking
    if first.text("SOPClassUID") != CTImageStorage and not _is_in_frames(first):
        lacking.append(N_("the storage class of CT images"))
    if len({tuple(map(frame.text, _OF_SERIES)) for frame in frames}) > 1 or (
        _is_in_frames(first) and files > 1
    ):
        lacking.append(N_("one study and series for all of them"))
    if not _is_in_frames(first) and len(set(map(_uid, frames))) < len(frames):
        lacking.append(N_("a UID of its own for each of them"))
    if not all(_are_alike(frame, first) for frame in frames):
        lacking.append(N_("one size, spacing and orientation for all of them"))
    elif _least_distance(frames) < _SAME:
        lacking.append(N_("a place of its own for each of them"))
    return lacking


def _uid(frame: Header) -> str:
    return frame.text("SOPInstanceUID")


def _position(frame: Header) -> tuple[float, ...]:
    return frame.numbers("ImagePositionPatient", 3)


def _cosines(frame: Header) -> tuple[float, ...]:
    return frame.numbers("ImageOrientationPatient", 6)


def _spacing(frame: Header) -> tuple[float, ...]:
    return frame.numbers("PixelSpacing", 2)


def _is_placed(frame: Header) -> bool:
    """Whether its pixels have places in the patient."""
    spacing, directions = _spacing(frame), np.reshape(_cosines(frame) or [0] * 6, (2, 3))
    return (
        bool(_position(frame))
        and min(spacing, default=0) > 0
        and np.allclose(directions @ directions.T, np.eye(2), atol=_UNIT)
    )


def _are_alike(frame: Header, other: Header) -> bool:
    return _shape(frame) == _shape(other) and all(
        np.allclose(said(frame), said(other), rtol=0, atol=_SAME) for said in (_spacing, _cosines)
    )


def _least_distance(frames: Sequence[Header]) -> float:
    """Between the planes of neighbours in millimetres; infinite where there are none."""
    normal = np.cross(*np.reshape(_cosines(frames[0]), (2, 3)))
    along = np.array([_position(frame) for frame in frames]) @ normal
    return float(np.diff(np.sort(along)).min(initial=np.inf))


def _grid(frames: Sequence[Header]) -> Grid:
    """Of slices that are alike; where none says how thick it is, they are taken to touch."""
    first = frames[0]
    rows, columns = _spacing(first)
    distance = _least_distance(frames)
    return Grid(
        _shape(first),
        (rows, columns),
        _cosines(first),
        first.number("SliceThickness") or (distance if math.isfinite(distance) else None),
    )


def _is_in_frames(header: Header) -> bool:
    return header.text("SOPClassUID") in _IN_FRAMES


def _shape(header: Header) -> tuple[int, int]:
    return header.integer("Rows"), header.integer("Columns")


def _image(header: Header, grid: Grid) -> Dataset:
    """The header of a file of one slice."""
    image = _common(header)
    image.ImagePositionPatient = list(_position(header))
    image.ImageOrientationPatient = list(grid.orientation)
    image.PixelSpacing, image.SliceThickness = list(grid.spacing_mm), grid.thickness_mm
    return image


def _of_frames(header: Header, grid: Grid) -> Dataset:
    """The header of a file of several slices."""
    image, shared, plane, measures = _common(header), Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = list(grid.orientation)
    measures.PixelSpacing, measures.SliceThickness = list(grid.spacing_mm), grid.thickness_mm
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [plane], [measures]
    image.SharedFunctionalGroupsSequence = [shared]
    image.NumberOfFrames = header.frames
    image.PerFrameFunctionalGroupsSequence = [
        _own_groups(header.of_frame(index)) for index in range(header.frames)
    ]
    return image


def _own_groups(frame: Header) -> Dataset:
    groups, position = Dataset(), Dataset()
    position.ImagePositionPatient = list(_position(frame))
    groups.PlanePositionSequence = [position]
    return groups


def _common(header: Header) -> Dataset:
    image = Dataset()
    image.SpecificCharacterSet = UTF8
    for keyword in (*_IDENTIFIERS, "PositionReferenceIndicator"):
        setattr(image, keyword, None)
    for keyword in (*_UIDS, "SOPClassUID", "FrameOfReferenceUID"):
        setattr(image, keyword, header.text(keyword))
    if header.text("LossyImageCompression") == "01":
        image.LossyImageCompression = "01"
        methods = header.text("LossyImageCompressionMethod").split("\\")
        ratios = header.numbers("LossyImageCompressionRatio", len(methods))
        if ratios and all(methods):
            image.LossyImageCompressionRatio = list(ratios)
            image.LossyImageCompressionMethod = methods
    image.Rows, image.Columns = _shape(header)
    image.Modality = "CT"
    return image
