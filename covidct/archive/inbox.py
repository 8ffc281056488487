"""Series as they come in, object by object, and the verdicts on them; in memory alone.

Senders tell neither how many slices a series has nor which was its last, so a series is due once
nothing of it came for some seconds. What comes later joins it as long as it is held, and makes it
due again. No more is held than a limit: the oldest series with a verdict is let go first, and where
none has one, no more is taken.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Condition
from typing import TYPE_CHECKING

from covidct.imaging.dicom.grouping import are_alike
from covidct.messages import N_

if TYPE_CHECKING:
    from covidct.archive.stored import Stored
    from covidct.imaging.dicom.header import Header
    from covidct.inference.cases import CaseGroup
    from covidct.inference.judge import Outcome, SeriesJudged

MOST_BYTES = 1024**3  # of all series together, as much as is fetched of one
MOST_OBJECTS = 20_000  # likewise, as many as a ZIP may hold

BROKE_OFF = N_("The connection broke off before its sender had ended it: slices may be missing.")
NO_ROOM = N_("Not all of it was taken, since there was no room for more: slices are missing.")


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """What came of a series.

    Attributes:
        number: its running number from 1, by which it is called.
        files: names and contents, as an upload has them; the names hold no identifiers.
        uids: its SeriesInstanceUID, and those of parts that seem to be one scan with it.
        received: when the last object came.
        notes: what to say of its completeness.
    """

    number: int
    files: tuple[tuple[str, bytes], ...]
    uids: tuple[str, ...]
    received: datetime
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A series that came and was judged.

    Attributes:
        arrival: what came.
        groups: its slices; several, if the series turned out to be more than one.
        outcomes: of each group, as :func:`covidct.inference.judge.conclude` gives them, without
            pixels.
        problem: what went wrong with it, else empty.
        stored: what a peer said to the results, where they were sent.
    """

    arrival: Arrival
    groups: tuple[CaseGroup, ...] = ()
    outcomes: tuple[tuple[Outcome | SeriesJudged, ...], ...] = ()
    problem: str = ""
    stored: Stored | None = None


@dataclass(slots=True, eq=False)
class _Series:
    """A series on its way."""

    number: int
    kin: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    size: int = 0
    uids: dict[str, None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # by SOPInstanceUID
    senders: set[Hashable] = field(default_factory=set)
    at: float = 0.0
    received: datetime = datetime.min
    came: int = 0
    taken: int = 0
    broke_off: bool = False
    lacks: bool = False
    verdict: Received | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether something came that was not judged yet."""
        return self.came > self.taken

    def holds(self, uid: str, kin: tuple[str, ...]) -> bool:
        """Whether an object is of this series, or of a part of the same scan.

        Converters cut a scan where a second ends; by the rule of
        :func:`covidct.imaging.gather.gather`, which decides once all is there, the parts
        have UIDs that differ in one component, patient and number in common.
        """
        if uid in self.uids:
            return True
        is_kin = all(kin) and kin == self.kin
        return is_kin and any(are_alike(uid, other) for other in self.uids)

    def arrival(self) -> Arrival:
        notes = ((BROKE_OFF, self.broke_off), (NO_ROOM, self.lacks))
        return Arrival(
            self.number,
            tuple(self.files.items()),
            tuple(self.uids),
            self.received,
            tuple(note for note, is_so in notes if is_so),
        )


class Inbox:
    """What came and is held; to be used by any number of threads.

    Args:
        quiet: seconds without an object after which a series is due.
        most_bytes: of objects that are held.
        most_objects: likewise.
    """

    def __init__(
        self, quiet: float, most_bytes: int = MOST_BYTES, most_objects: int = MOST_OBJECTS
    ) -> None:
        self._quiet, self._most_bytes, self._most_objects = quiet, most_bytes, most_objects
        self._series: list[_Series] = []
        self._changed = Condition()
        self._is_closed = False
        self._count = 0
        self._let_go = 0

    def put(self, header: Header, data: bytes, sender: Hashable) -> str | None:
        """Add an object to its series.

        Args:
            header: of the object.
            data: the object as a file.
            sender: the connection that it came by.

        Returns:
            Its name, a folder for each series; None where there is no room for it.
        """
        uid, instance = header.text("SeriesInstanceUID"), header.text("SOPInstanceUID")
        kin = tuple(map(header.text, ("PatientID", "SeriesNumber", "Modality")))
        with self._changed:
            series = next((one for one in self._series if one.holds(uid, kin)), None)
            name = series.names.get(instance) if series else None
            is_known = series is not None and name is not None and series.files[name] == data
            if not is_known and not self._make_room(len(data), series):
                if series and not series.lacks:
                    series.lacks = True
                    series.came += 1  # the verdict has to say so
                return None
            if series is None:
                self._count += 1
                series = _Series(self._count, kin)
                self._series.append(series)
            if not is_known or name is None:
                name = f"{series.number:04d}/{len(series.files) + 1:04d}.dcm"
                series.files[name], series.names[instance] = data, name
                series.size += len(data)
            if sender not in series.senders:
                series.broke_off = False  # who was interrupted has come again
            series.uids[uid] = None
            series.senders.add(sender)
            series.at, series.received = time.monotonic(), datetime.now()
            series.came += 1
            self._changed.notify_all()
            return name

    def broke_off(self, sender: Hashable) -> None:
        """Note that a connection ended before its sender said so."""
        with self._changed:
            for series in self._series:
                if series.is_waiting and sender in series.senders:
                    series.broke_off = True

    def next_due(self) -> Arrival | None:
        """Wait for a series of which nothing came for a while; None once this was closed."""
        with self._changed:
            while not self._is_closed:
                waiting = (series for series in self._series if series.is_waiting)
                first = min(waiting, key=lambda series: series.at, default=None)
                left = None if first is None else first.at + self._quiet - time.monotonic()
                if first and left is not None and left <= 0:
                    first.taken = first.came
                    return first.arrival()
                self._changed.wait(left)
        return None

    def settle(self, verdict: Received) -> None:
        """Keep the verdict on a series with it, as long as it is held."""
        with self._changed:
            for series in self._series:
                if series.number == verdict.arrival.number:
                    series.verdict = verdict
                    if not series.is_waiting:
                        series.senders.clear()

    def received(self) -> list[Received]:
        """The series that are held and were judged, newest first."""
        with self._changed:
            judged = [series.verdict for series in self._series if series.verdict]
        return sorted(judged, key=lambda one: one.arrival.received, reverse=True)

    @property
    def waiting(self) -> int:
        """How many series came that were not judged yet."""
        with self._changed:
            return sum(series.is_waiting or series.verdict is None for series in self._series)

    @property
    def let_go(self) -> int:
        """How many series were let go to make room."""
        with self._changed:
            return self._let_go

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _make_room(self, size: int, besides: _Series | None) -> bool:
        """Let old series go until so many bytes fit; whether they do."""
        while (
            sum(series.size for series in self._series) + size > self._most_bytes
            or sum(len(series.files) for series in self._series) >= self._most_objects
        ):
            settled = [
                one
                for one in self._series
                if one is not besides and one.verdict and not one.is_waiting
            ]
            if not settled:
                return False
            self._series.remove(min(settled, key=lambda series: series.at))
            self._let_go += 1
        return True
