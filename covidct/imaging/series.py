"""Slices of one scan in the order of the body, each decoded when it is asked for."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.file import File


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


class Frames(Protocol):
    """A file of one frame or several that was opened; frames are counted from 0."""

    def read(self, index: int) -> CTSlice:
        """One frame as a slice.

        Raises:
            UnreadableSlice: it cannot be decoded.
        """
        ...

    def read_hounsfield(self, index: int) -> np.ndarray | None:
        """Its Hounsfield units, as :func:`covidct.imaging.read_hounsfield`."""
        ...


class LastOpened:
    """Keeps the file that was opened last, for its next frame; safe to share between threads.

    All series that are gathered together share one, or many series would hold many files.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[File, Frames] | None = None

    def __call__(self, file: File, open_frames: Callable[[bytes], Frames]) -> Frames:
        """The file's frames."""
        with self._lock:
            if self._held is None or self._held[0] is not file:
                self._held = None  # before the next one takes its room
                self._held = file, open_frames(file.read())
            return self._held[1]

    def __reduce__(self) -> tuple[type["LastOpened"], tuple[()]]:
        return LastOpened, ()  # another process opens for itself what it reads


@dataclass(frozen=True, slots=True, eq=False)
class SeriesSlice:
    """One slice of a series, which can be read without the others, in another process as well."""

    _file: File
    _frame: int
    _open_frames: Callable[[bytes], Frames]
    _opened: LastOpened

    def read(self) -> CTSlice:
        """Decode it.

        Raises:
            UnreadableSlice: it cannot be decoded.
        """
        return self._opened(self._file, self._open_frames).read(self._frame)

    def read_hounsfield(self) -> np.ndarray | None:
        """Its Hounsfield units, as :func:`covidct.imaging.read_hounsfield`."""
        return self._opened(self._file, self._open_frames).read_hounsfield(self._frame)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Slices of one scan from the feet to the head.

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
    _open_frames: Callable[[bytes], Frames]
    _opened: LastOpened

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[CTSlice]:
        return map(self.read, range(len(self)))

    def read(self, index: int) -> CTSlice:
        """Decode one slice.

        Raises:
            UnreadableSlice: it cannot be decoded.
        """
        return self.slice_at(index).read()

    def slice_at(self, index: int) -> SeriesSlice:
        """One slice, yet to be read."""
        return SeriesSlice(*self._found[index], self._open_frames, self._opened)

    def read_hounsfield(self, index: int) -> np.ndarray | None:
        """The Hounsfield units of one slice, as :func:`covidct.imaging.read_hounsfield`."""
        return self.slice_at(index).read_hounsfield()

    @property
    def files(self) -> tuple[File, ...]:
        """The file that holds each slice, for who may ask for its identifiers."""
        return tuple(file for file, _ in self._found)
