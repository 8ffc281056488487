"""From what somebody dropped to the slices in it, those of a series in the order of the body."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
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
    """

    cases: range
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What somebody dropped.

    Attributes:
        cases: the slices, and files that turned out to be none.
        series: those of them that form series.
        set_aside: what belongs to series and is no slice of one.
    """

    cases: tuple[Case, ...] = ()
    series: tuple[SeriesOnPage, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


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
    files, cases, series, set_aside = [], [], [], []
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
        cases += _of_series(group)
        set_aside += group.set_aside
        if len(group) > 1:
            series.append(SeriesOnPage(range(first, len(cases)), group.notes))
    return Dropped(tuple(cases), tuple(series), tuple(set_aside))


def _single(file: File) -> Case:
    """The bytes of a file in a ZIP are not held, or a session could hold all that unpacks."""
    try:
        content = _digest(file.read())
    except UnreadableSlice as error:
        return Case(file.name, file.name, partial(_refuse, str(error)))
    return Case(
        file.name,
        content,
        lambda: read_slice(file.read()),
        lambda: read_hounsfield(file.read()),
        file.read,
    )


def _of_series(series: Series) -> Iterator[Case]:
    contents = {file: _digest(file.read()) for file in dict.fromkeys(series.files)}
    for index, (place, file) in enumerate(zip(series.places, series.files, strict=True)):
        yield Case(
            place.file if place.frame is None else f"{place.file}, frame {place.frame}",
            f"{contents[file]} {place.frame}",
            partial(series.read, index),
            partial(series.read_hounsfield, index),
            file.read,
            place,
        )


def _refuse(reason: str) -> NoReturn:
    raise UnreadableSlice(reason)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
