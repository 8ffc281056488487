"""Files in any order and number -> series of axial slices in the order of the body."""

import math
import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from covidct.errors import UnreadableSlice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.frames import frame_bytes, frame_hounsfield, frame_slice
from covidct.imaging.dicom.header import Header, is_dicom, read_header
from covidct.imaging.formats.pixels import MAX_BYTES
from covidct.imaging.sources import File
from covidct.messages import N_, ngettext

SCOUT = N_("A scout: it shows where the slices lie and is none itself.")
DUPLICATE = N_("The same slice as another one of the series.")
NO_PICTURE = N_("A DICOM file without a picture: a report, a plan or an index.")
BY_NUMBER = N_("The headers give no positions: the slices are in order of their instance numbers.")
BY_NAME = N_(
    "The headers give neither positions nor numbers: the slices are in order of file names."
)
REPEATED = N_("Several slices lie at the same position: the series may hold more than one scan.")
JOINED = N_("The headers split this scan into several series; by its numbers it is one.")

_SCOUT_TYPES = {"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW"}
_AXIAL = math.cos(math.radians(35))  # gantries are tilted by up to 30 degrees
_NOT_AXIAL = (
    N_("Not an axial slice but a sagittal one."),
    N_("Not an axial slice but a coronal one."),
)
_OBLIQUE = N_("Not an axial slice but an oblique one.")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a slice of a series is found.

    Attributes:
        file: the name of its file.
        frame: its number in a file of several frames, from 1; else None.
        position_mm: along the normal of the slices, rising towards the head; None where unknown.
    """

    file: str
    frame: int | None = None
    position_mm: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that is left out of a series, and why."""

    place: Place
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Slices of one scan from the feet to the head, each decoded when it is asked for.

    Attributes:
        places: one for each slice, in order.
        set_aside: scouts, slices of other planes, duplicates.
        notes: plain sentences for the user about order and completeness.
        number: SeriesNumber, by which people at the scanner tell series apart; or None.
    """

    places: tuple[Place, ...]
    set_aside: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    number: int | None
    _found: tuple[tuple[File, int], ...]
    _open: dict[File, Header]

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[CTSlice]:
        return map(self.read, range(len(self)))

    def read(self, index: int) -> CTSlice:
        """Decode one slice.

        Raises:
            UnreadableSlice: it cannot be decoded.
        """
        return frame_slice(*self._frame(index))

    def read_hounsfield(self, index: int) -> np.ndarray | None:
        """The Hounsfield units of one slice, as :func:`covidct.imaging.read_hounsfield`."""
        return frame_hounsfield(*self._frame(index))

    @property
    def files(self) -> tuple[File, ...]:
        """The file that holds each slice, for who may ask for its identifiers."""
        return tuple(file for file, _ in self._found)

    def _frame(self, index: int) -> tuple[Header, int]:
        """The header and the number of a frame; the file read last is kept for its next frame.

        It is the last one of all series that were gathered together, or many series would hold
        many files.
        """
        file, frame = self._found[index]
        header = self._open.get(file)
        if header is None:
            header = read_header(file.read())
            self._open.clear()
            self._open[file] = header
        return header, frame


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """What the header says of one picture; no patient data and, once sorted, no identifiers."""

    file: File
    index: int
    header: Header
    digest: bytes

    @property
    def series(self) -> str:
        """The series that the file claims to be of."""
        return self.header.text("SeriesInstanceUID")

    @property
    def kin(self) -> tuple[str, ...]:
        """What the slices of one scan have in common, identifiers apart."""
        size = (str(self.header.integer(side)) for side in ("Rows", "Columns"))
        return *map(self.header.text, ("SeriesNumber", "Modality", "PixelSpacing")), *size

    @property
    def is_scout(self) -> bool:
        return bool(_SCOUT_TYPES & set(self.header.text("ImageType").split("\\")))

    @property
    def instance(self) -> tuple[float | None, int]:
        """The number of the file in the series, and of the frame in the file."""
        return self.header.number("InstanceNumber"), self.index

    @property
    def position(self) -> tuple[float, ...] | None:
        """The patient coordinates of the first pixel in millimetres, to the left, back, head."""
        position = self.header.numbers("ImagePositionPatient")
        return position if len(position) == 3 else None

    @property
    def normal(self) -> np.ndarray | None:
        """The unit vector (3,) across the slice that does not point to the feet."""
        cosines = self.header.numbers("ImageOrientationPatient")
        if len(cosines) != 6:
            return None
        normal = np.cross(cosines[:3], cosines[3:])
        if not math.isclose(np.linalg.norm(normal), 1, abs_tol=0.05):
            return None
        return -normal if normal[2] < 0 else normal

    @property
    def marks(self) -> set[tuple]:
        """What no other slice of the series has, unless it is the same.

        Some programs give all slices one UID, which therefore counts with a number or place only.
        """
        marks: set[tuple] = {(self.digest, self.position)}
        uid, where = self.header.text("SOPInstanceUID"), (self.instance, self.position)
        if uid and where != ((None, self.index), None):
            marks.add((uid, *where))
        return marks

    def place(self, position: float | None = None) -> Place:
        frame = self.index + 1 if self.header.frames > 1 else None
        return Place(self.file.name, frame, position)


def gather(files: Iterable[File]) -> list[Series | File]:
    """Sort files into series.

    Each file is read once, one at a time, and its pixels are not kept. DICOM files are grouped by
    SeriesInstanceUID, whatever they are called and in whatever order they come. A file that is no
    DICOM, or cannot be read, stays a file: :func:`covidct.imaging.read_slice` reads it, or says
    why not.

    Args:
        files: as :mod:`covidct.imaging.sources` finds them.

    Returns:
        Series and single files in the order in which the first of each came.
    """
    groups: dict[File | str, list[_Frame]] = {}  # none of a single file
    for file in files:
        try:
            frames = _frames(file)
        except UnreadableSlice:
            frames = []
        if not frames:
            groups[file] = []
        for frame in frames:
            groups.setdefault(frame.series, []).append(frame)
    joined = _join([group for group in groups.values() if group])
    whole = {id(group) for group in joined}
    opened: dict[File, Header] = {}
    return [
        key if isinstance(key, File) else _sort(group, opened)
        for key, group in groups.items()
        if isinstance(key, File) or id(group) in whole
    ]


def _join(groups: list[list[_Frame]]) -> list[list[_Frame]]:
    """Put together what is one scan although its SeriesInstanceUID varies.

    Converters that make UIDs of the time of day cut a scan where a second ends. The parts then
    have UIDs that differ in one component, series number, size and spacing in common, and no
    instance number twice.
    """
    joined: list[list[_Frame]] = []
    by_kin: dict[tuple[str, ...], list[_Frame]] = {}
    for group in groups:
        earlier = by_kin.setdefault(group[0].kin, group)
        numbers = {frame.instance for frame in earlier}
        if _are_alike(group[0].series, earlier[0].series) and numbers.isdisjoint(
            frame.instance for frame in group
        ):
            earlier += group
        else:
            joined.append(group)
    return joined


def _are_alike(uid: str, other: str) -> bool:
    parts, others = uid.split("."), other.split(".")
    return len(parts) == len(others) and sum(map(operator.ne, parts, others)) == 1


def _frames(file: File) -> list[_Frame]:
    """The frames of a DICOM file, without their pixels; none of any other file."""
    data = file.read()
    if len(data) > MAX_BYTES or not is_dicom(data):
        return []
    header = read_header(data)
    if "PixelData" not in header.raw and "Rows" not in header.raw:
        return [_Frame(file, 0, header, b"")]
    bare = header.without_pixels()
    return [
        _Frame(file, index, bare.of_frame(index), sha256(frame_bytes(header, index)).digest())
        for index in range(header.frames)
    ]


def _sort(frames: list[_Frame], opened: dict[File, Header]) -> Series:
    """Order the frames of a series, and set aside what is no slice of it."""
    slices, set_aside = [], []
    seen: set[tuple] = set()
    for frame in frames:
        reason = _reason_against(frame)
        if not reason and seen & frame.marks:
            reason = DUPLICATE
        if reason:
            set_aside.append(LeftOut(frame.place(), reason))
        else:
            seen |= frame.marks
            slices.append(frame)
    return _ordered(slices, tuple(set_aside), frames[0].header.number("SeriesNumber"), opened)


def _reason_against(frame: _Frame) -> str:
    """Why a picture is no axial slice, empty where it may be one."""
    if not frame.digest:
        return NO_PICTURE
    if frame.is_scout:
        return SCOUT
    normal = frame.normal
    if normal is not None and normal[2] < _AXIAL:
        across = int(np.argmax(np.abs(normal)))
        return _OBLIQUE if abs(normal[across]) < _AXIAL else _NOT_AXIAL[across]
    return ""


def _ordered(
    slices: list[_Frame],
    set_aside: tuple[LeftOut, ...],
    number: float | None,
    opened: dict[File, Header],
) -> Series:
    """A series by position, else by instance number, else by file name."""
    positions, instances = _positions(slices), [frame.instance for frame in slices]
    numbers = [number for number, _ in instances if number is not None]
    keys: list[Any]
    steps: list[float]
    if positions:
        keys, steps, note = positions, positions, ""
    elif len(numbers) == len(set(instances)) == len(instances):
        keys, steps, note = instances, numbers, BY_NUMBER
    else:
        keys, steps, note = [_natural(frame) for frame in slices], [], BY_NAME
    ranked = sorted(range(len(slices)), key=keys.__getitem__)
    notes = [note] if note and len(slices) > 1 else []
    if len({frame.series for frame in slices}) > 1:
        notes.insert(0, JOINED)
    if len(set(positions)) < len(positions):
        notes.append(REPEATED)
    return Series(
        tuple(slices[i].place(positions[i] if positions else None) for i in ranked),
        set_aside,
        (*notes, *_gaps(steps)),
        None if number is None else int(number),
        tuple((slices[i].file, slices[i].index) for i in ranked),
        opened,
    )


def _positions(slices: list[_Frame]) -> list[float]:
    """Millimetres along the common normal; empty where one is unknown or all are the same."""
    corners = [frame.position for frame in slices if frame.position is not None]
    if len(corners) < len(slices) or (len(slices) > 1 and len(set(corners)) == 1):
        return []
    normals = [frame.normal for frame in slices if frame.normal is not None]
    normal = np.mean(normals, axis=0) if normals else (0, 0, 1)
    return [round(float(np.dot(corner, normal)), 3) for corner in corners]


def _gaps(steps: Sequence[float]) -> tuple[str, ...]:
    """A note on slices that are missing, told from positions or numbers at uneven distances."""
    distances = np.diff(np.unique(steps))
    if len(distances) < 2:
        return ()
    usual = float(np.percentile(distances, 25, method="lower"))  # many may be missing
    missing = int(sum(round(d / usual) - 1 for d in distances if d > 1.5 * usual))
    if not missing:
        return ()
    return (
        ngettext(
            "One slice seems to be missing: the distance between neighbours is uneven.",
            "{count} slices seem to be missing: the distance between neighbours is uneven.",
            missing,
        ),
    )


def _natural(frame: _Frame) -> tuple:
    """A key by which "slice 10" comes after "slice 9"."""
    parts = re.split(r"0*(\d+)", frame.file.name)
    return *((len(part), part) if i % 2 else part for i, part in enumerate(parts)), frame.index
