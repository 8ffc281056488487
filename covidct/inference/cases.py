"""Cases: the slices in files, folders, ZIPs and uploads, before they are judged."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

from covidct.errors import ArchiveError, UnreadableSlice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.file import File
from covidct.imaging.gather import Picture, Seen, Stranger, gather
from covidct.imaging.readers import read_hounsfield, read_slice
from covidct.imaging.series import LeftOut, Place, Series
from covidct.imaging.sources import files_at, uploaded


def no_hounsfield() -> None:
    """What there is of a slice that has no Hounsfield units."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A slice, wherever it comes from, that can be judged.

    Attributes:
        place: the name of its file, its frame and its position.
        read: gives the slice, or raises UnreadableSlice.
        group: the number of the file or series that it is of, from 1.
        number: its own number in that group, from 1; None of what is known not to be a slice.
        read_hounsfield: gives its Hounsfield units int16 (H, W), or None where it has none.
        file: holds its bytes; None where there is no file.
        content: identifies what it shows, whatever it is called; empty where nobody needs that.
    """

    place: Place
    read: Callable[[], CTSlice]
    group: int = 1
    number: int | None = 1
    read_hounsfield: Callable[[], np.ndarray | None] = no_hounsfield
    file: File | None = None
    content: str = ""

    @property
    def name(self) -> str:
        """What the user calls it; shown literally and nowhere kept."""
        frame = self.place.frame
        return self.place.file if frame is None else f"{self.place.file}, frame {frame}"


@dataclass(frozen=True, slots=True, eq=False)
class SetAside:
    """What belongs to a series and needs no verdict: a scout, a duplicate, a slice of the neck.

    Attributes:
        case: the slice; without a number where it was never one of the series.
        reason: why it is left out, in a sentence or two.
    """

    case: Case
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class CaseGroup:
    """The slices of one file or one series.

    Attributes:
        number: its number among the groups that are judged together, from 1.
        name: what it is called: its file, or the folder of a series and the series number.
        cases: its slices; those of a series in the order of the body.
        left_out: pictures that belong to the series and are no slices of it.
        notes: plain sentences about order and completeness of the series.
        beside_series: whether it is a picture that lies where a series was found, so that it may
            show something else.
    """

    number: int
    name: str
    cases: tuple[Case, ...]
    left_out: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()
    beside_series: bool = False

    @property
    def is_series(self) -> bool:
        """Whether it has several slices, so that a verdict on all of them together makes sense."""
        return len(self.cases) > 1


def groups_at(paths: Iterable[Path]) -> Iterator[CaseGroup]:
    """What is at each path: a file, a folder that is walked, or a ZIP.

    A ZIP that cannot be unpacked is a case of its own, which says why when it is read.
    """
    number = 1
    for path in paths:
        for group in _groups([(str(path), partial(files_at, path))], number):
            yield group
            number = group.number + 1


def groups_in(uploads: Iterable[tuple[str, bytes]], seen: Seen | None = None) -> list[CaseGroup]:
    """What is in uploads of these names and contents, slices of one series put together.

    Args:
        uploads: names and contents.
        seen: told the content of each file in them, as of :func:`covidct.imaging.gather.gather`.
    """
    return _groups([(name, partial(uploaded, name, data)) for name, data in uploads], seen=seen)


def _groups(
    sources: Iterable[tuple[str, Callable[[], list[File]]]],
    first: int = 1,
    seen: Seen | None = None,
) -> list[CaseGroup]:
    """Unpack sources, put the DICOM files in them into series, and number what is found."""
    files: list[File] = []
    walked: set[File] = set()
    refused: list[tuple[str, str]] = []
    for name, unpack in sources:
        try:
            found = unpack()
            files += found
            walked |= {file for file in found if file.name != name}
        except ArchiveError as error:
            refused.append((name, error.message))
    groups = [
        CaseGroup(number, name, (_unread(Place(name), number, reason),))
        for number, (name, reason) in enumerate(refused, first)
    ]
    gathered = gather(files, seen)
    beside_series = any(isinstance(one, Series) for one in gathered)  # as on a CD
    strangers: list[Stranger] = []
    # What a series lies beside comes behind it
    for one in sorted(gathered, key=lambda one: beside_series and not isinstance(one, Series)):
        number = first + len(groups)
        match one:
            case Series():
                groups.append(_series(one, number))
            case Stranger() if beside_series:
                strangers.append(one)
            case Stranger():
                groups.append(_alone(one, number))
            case Picture(file):
                groups.append(_single(file, number, beside_series and file in walked))
            case File():
                groups.append(_single(one, number))
    if strangers:
        number = first + len(groups)
        left = [LeftOut(Place(one.file.name), one.reason) for one in strangers]
        name = left[0].place.file
        groups.append(CaseGroup(number, name, (), tuple(map(partial(_left_out, number), left))))
    return groups


def _alone(stranger: Stranger, number: int) -> CaseGroup:
    file = stranger.file
    case = Case(Place(file.name), partial(_refuse, stranger.reason), number, file=file)
    return CaseGroup(number, file.name, (case,))


def _single(file: File, number: int, beside_series: bool = False) -> CaseGroup:
    case = Case(
        Place(file.name),
        partial(_read, file),
        number,
        read_hounsfield=partial(_read_hounsfield, file),
        file=file,
    )
    return CaseGroup(number, file.name, (case,), beside_series=beside_series)


def _read(file: File) -> CTSlice:
    return read_slice(file.read())


def _read_hounsfield(file: File) -> np.ndarray | None:
    return read_hounsfield(file.read())


def _series(series: Series, number: int) -> CaseGroup:
    slices = map(series.slice_at, range(len(series)))
    cases = tuple(
        Case(place, one.read, number, index, one.read_hounsfield, file)
        for index, (place, one, file) in enumerate(
            zip(series.places, slices, series.files, strict=True), 1
        )
    )
    left_out = tuple(map(partial(_left_out, number), series.set_aside))
    return CaseGroup(number, _series_name(series), cases, left_out, series.notes)


def _series_name(series: Series) -> str:
    """The file or the folder that its files share, and the number by which scanners name it."""
    names = {place.file for place in series.places} or {
        left.place.file for left in series.set_aside
    }
    shared = names.pop() if len(names) == 1 else os.path.commonpath(names)
    numbered = "" if series.number is None else f"series {series.number}"
    return ", ".join(filter(None, (shared, numbered)))


def _left_out(group: int, left: LeftOut) -> SetAside:
    return SetAside(_unread(left.place, group, left.reason), left.reason)


def _unread(place: Place, group: int, reason: str) -> Case:
    """What is known not to be a slice, so that it has no number."""
    return Case(place, partial(_refuse, reason), group, None)


def _refuse(reason: str) -> NoReturn:
    raise UnreadableSlice(reason)
