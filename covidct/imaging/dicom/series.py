"""Files in any order and number -> series of axial slices in the order of the body."""

import math
import operator
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.companions import companion, is_secondary_capture
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
UNPLACED = N_("It has no place among the slices: its header gives no position as theirs do.")
OTHER_SIZE = N_("A picture of another size than the slices of the series.")
SCREEN_COPY = N_("A copy of a screen, such as a dose page, beside the CT.")
SPACING_CHANGES = N_("The distance between slices changes along the series; none is missing.")

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
    def folder(self) -> str:
        """Where its file lies."""
        return os.path.dirname(self.file.name)  # noqa: PTH120

    @property
    def key(self) -> tuple[str, ...]:
        """What tells its series from others; the UID may be missing or constant."""
        said = (
            *map(self.header.text, ("StudyInstanceUID", "PatientID", "SeriesNumber")),
            self.series,
        )
        if self.series:
            return said
        normal = "" if self.normal is None else str(np.argmax(np.abs(self.normal)))
        alone = self.file.name if self.header.frames > 1 else ""
        return *said, self.folder, *map(str, self.size), normal, alone

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.integer("Rows"), self.header.integer("Columns")

    @property
    def kin(self) -> tuple[str, ...]:
        """What the slices of one scan have in common, identifiers apart."""
        keywords = "PatientID", "SeriesNumber", "Modality", "PixelSpacing"
        return *map(self.header.text, keywords), *map(str, self.size)

    @property
    def is_ct(self) -> bool:
        """Whether it is a picture by a scanner that says CT."""
        is_copy = is_secondary_capture(self.header)
        return bool(self.digest) and self.header.text("Modality") == "CT" and not is_copy

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
    def mark(self) -> tuple:
        """What no other slice of the series has, unless it is the same."""
        return self.digest, self.position

    def place(self, position: float | None = None) -> Place:
        frame = self.index + 1 if self.header.frames > 1 else None
        return Place(self.file.name, frame, position)


def gather(files: Iterable[File]) -> list[Series | File]:
    """Sort files into series.

    Each file is read once, one at a time, and its pixels are not kept. DICOM files are grouped by
    SeriesInstanceUID, study, patient and series number, whatever they are called and in whatever
    order they come; without that UID by folder, size and orientation as well. A file that is no
    DICOM, or cannot be read, stays a file: :func:`covidct.imaging.read_slice` reads it, or says
    why not.

    Args:
        files: as :mod:`covidct.imaging.sources` finds them.

    Returns:
        Series and single files in the order in which the first of each came.
    """
    groups: dict[File | tuple[str, ...], list[_Frame]] = {}  # none of a single file
    for file in files:
        try:
            frames = _frames(file)
        except UnreadableSlice:
            frames = []
        if not frames:
            groups[file] = []
        for frame in frames:
            groups.setdefault(frame.key, []).append(frame)
    joined = _join([group for group in groups.values() if group])
    whole = {id(group) for group in joined}
    beside_ct = any(frame.is_ct for group in joined for frame in group)
    opened: dict[File, Header] = {}
    found: list[Series | File] = []
    for key, group in groups.items():
        if isinstance(key, File):
            found.append(key)
        elif id(group) in whole:
            found += [_sort(part, opened, beside_ct) for part in _by_folder(group)]
    return found


def _by_folder(group: list[_Frame]) -> list[list[_Frame]]:
    """Take apart what one constant UID holds together: folders that hold different pictures at the
    same positions, or under the same numbers where there are none."""
    folders: dict[str, list[_Frame]] = {}
    for frame in group:
        folders.setdefault(frame.folder, []).append(frame)
    places: dict[Any, tuple[str, bytes]] = {}
    for frame in group:
        where = frame.position or frame.instance
        folder, digest = places.setdefault(where, (frame.folder, frame.digest))
        if folder != frame.folder and digest != frame.digest:
            return list(folders.values())
    return [group]


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
        if (
            group[0].series
            and _are_alike(group[0].series, earlier[0].series)
            and numbers.isdisjoint(frame.instance for frame in group)
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
    bare = header.without_pixels()
    if companion(header) or ("PixelData" not in header.raw and "Rows" not in header.raw):
        return [_Frame(file, 0, bare, b"")]
    try:
        return [
            _Frame(file, index, bare.of_frame(index), sha256(frame_bytes(header, index)).digest())
            for index in range(header.frames)
        ]
    except UnsupportedEncoding:
        if is_secondary_capture(header):
            return [_Frame(file, 0, bare, b"")]
        raise


def _sort(frames: list[_Frame], opened: dict[File, Header], beside_ct: bool) -> Series:
    """Order the frames of a series, and set aside what is no slice of it."""
    slices, set_aside = [], []
    seen: set[tuple] = set()
    reasons = {frame: _reason_against(frame, beside_ct) for frame in frames}
    reasons |= _misfits([frame for frame, reason in reasons.items() if not reason])
    for frame, reason in reasons.items():
        if not reason and frame.mark in seen:
            reason = DUPLICATE
        if reason:
            set_aside.append(LeftOut(frame.place(), reason))
        else:
            seen.add(frame.mark)
            slices.append(frame)
    return _ordered(slices, tuple(set_aside), frames[0].header.number("SeriesNumber"), opened)


def _misfits(slices: list[_Frame]) -> dict[_Frame, str]:
    """The few that cannot be ordered with the many: of another size, or without a position."""
    if len(slices) < 3:
        return {}
    ((size, most),) = Counter(frame.size for frame in slices).most_common(1)
    misfits: dict[_Frame, str] = {}
    if most > len(slices) / 2:
        misfits |= {frame: OTHER_SIZE for frame in slices if frame.size != size}
    rest = [frame for frame in slices if frame not in misfits]
    unplaced = [frame for frame in rest if frame.position is None]
    if len(unplaced) < len(rest) / 2:
        misfits |= dict.fromkeys(unplaced, UNPLACED)
    return misfits


def _reason_against(frame: _Frame, beside_ct: bool) -> str:
    """Why a picture is no axial slice, empty where it may be one."""
    reason = companion(frame.header)
    if reason:
        return reason
    if beside_ct and is_secondary_capture(frame.header):
        return SCREEN_COPY
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
        (*notes, *_gaps(steps, numbers)),
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


def _gaps(steps: Sequence[float], numbers: Sequence[float]) -> tuple[str, ...]:
    """A note on slices that are missing, told from positions or numbers at uneven distances.

    None is, where instance numbers have no gap, or where the distance changes once for good.
    """
    distances = np.diff(np.unique(steps))
    if len(distances) < 2:
        return ()
    changes = np.abs(np.diff(distances)) > 0.1 * distances.min()
    counted = len(set(numbers)) == len(steps) and max(numbers) - min(numbers) == len(steps) - 1
    once = changes.sum() == 1 and not (changes[:2].any() or changes[-2:].any())
    if changes.any() and (counted or once):
        return (SPACING_CHANGES,) if distances.max() > 1.5 * distances.min() else ()
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
