"""From what somebody dropped to the slices in it, those of a series in the order of the body."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import NoReturn

from starlette.formparsers import MultiPartParser

from covidct.errors import ArchiveError, UnreadableSlice
from covidct.imaging import read_hounsfield, read_slice
from covidct.imaging.series import Series, SetAside, gather
from covidct.imaging.sources import File, uploaded
from covidct.ui.examine import Case


@dataclass(frozen=True, slots=True)
class SeriesOnPage:
    """Several slices of one scan among the cases.

    Attributes:
        cases: positions of its slices among all cases.
        notes: on its order and completeness.
        set_aside: what belongs to it and is no slice of it.
    """

    cases: range
    notes: tuple[str, ...]
    set_aside: tuple[SetAside, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What somebody dropped.

    Attributes:
        cases: the slices, and files that turned out to be none.
        series: those of them that form series.
    """

    cases: tuple[Case, ...] = ()
    series: tuple[SeriesOnPage, ...] = ()


def keep_in_memory() -> None:
    """Let no upload touch the disk on its way in.

    Starlette, which Streamlit serves by, writes what is longer than `spool_max_size`, a megabyte
    unless told otherwise, to a temporary file before Streamlit takes it into memory.
    """
    MultiPartParser.spool_max_size = sys.maxsize


def sort_uploads(uploads: Iterable[tuple[str, bytes]]) -> Dropped:
    """Unpack ZIPs, group DICOM files into series, keep the order in which they came otherwise.

    Args:
        uploads: names and contents.
    """
    files, cases, series = [], [], []
    for name, data in uploads:
        try:
            files += uploaded(name, data)
        except ArchiveError as error:
            cases.append(Case(name, _digest(data), partial(_refuse, str(error))))
    for group in gather(files):
        if isinstance(group, File):
            cases.append(_single(group))
            continue
        first = len(cases)
        cases += [_of_series(group, index) for index in range(len(group))]
        if len(group) > 1 or group.set_aside:
            place = range(first, len(cases))
            series.append(SeriesOnPage(place, group.notes, group.set_aside))
    return Dropped(tuple(cases), tuple(series))


def _single(file: File) -> Case:
    try:
        data = file.read()
    except UnreadableSlice as error:
        return Case(file.name, file.name, partial(_refuse, str(error)))
    hounsfield = partial(read_hounsfield, data)
    return Case(file.name, _digest(data), partial(read_slice, data), hounsfield, file.read)


def _of_series(series: Series, index: int) -> Case:
    place = series.places[index]
    name = place.file if place.frame is None else f"{place.file}, frame {place.frame}"
    return Case(
        name,
        f"{_digest(series.file(index))} {place.frame}",
        partial(series.read, index),
        partial(series.read_hounsfield, index),
        partial(series.file, index),
        place,
    )


def _refuse(reason: str) -> NoReturn:
    raise UnreadableSlice(reason)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
