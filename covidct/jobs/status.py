"""What a job says of itself while it runs: status.json, written by its process, read by anyone."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from covidct.errors import CovidCTError, TrainingStopped
from covidct.files import MALFORMED, replace_text
from covidct.jobs.process import memory_mb, process_identity, process_space
from covidct.messages import N_, Message

STATUS_FILE, STOP_FILE, LOG_FILE = "status.json", "stop", "log.txt"
STATES = ("queued", "starting", "running", "stopping", "stopped", "finished", "failed")
LIVE_STATES = frozenset({"starting", "running", "stopping"})

_RESERVE_FILE, _RESERVE_BYTES = ".reserve", 64 * 1024  # of disk, for the last word
_WRITE_EVERY = 0.5  # seconds
_STARTING_FOR = 30  # seconds after which a run without a process was never started
_SILENT_FOR = 120  # seconds after which a process of another host counts as gone

_KILLED = N_(
    "The process stopped without reporting an error: it was killed, the memory ran out, or the "
    "computer was switched off."
)
_DISK_FULL = N_("The disk is full. Make room, for instance by deleting old runs.")
_MEMORY_OUT = N_(
    "The memory ran out. Close other programs; smaller images, and in training smaller batches, "
    "need less of it."
)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a training run or an evaluation has come.

    Attributes:
        state: one of :data:`STATES`.
        epoch: whole epochs that are done and kept.
        epochs: how many were asked for.
        batch: batches done in this epoch; slices looked at before the first and in an evaluation.
        batches: how many there are of them; 0 while that is unknown.
        seconds_left: until the last epoch ends; None while that is unknown.
        memory_mb: what the process holds in RAM.
        pid: of the run's process, the last one where it was resumed.
        process_started: tells the process from a later one with the same pid.
        host: the name of the host on which the process runs.
        process_space: where its pid counts, as :func:`covidct.jobs.process.process_space` has it;
            empty where it was not told.
        message: a sentence for a person, empty where there is nothing to say. What is read back
            from the file is its English, of which pages find whole sentences in their catalogue.
        updated: the time of the file, ISO 8601, UTC, which a process at work keeps fresh
            (:mod:`covidct.jobs.sign_of_life`); only of a status that was read.
    """

    state: str
    epoch: int = 0
    epochs: int = 0
    batch: int = 0
    batches: int = 0
    seconds_left: float | None = None
    memory_mb: float | None = None
    pid: int | None = None
    process_started: str | None = None
    host: str = ""
    process_space: str = ""
    message: str = ""
    updated: str = ""

    @property
    def is_live(self) -> bool:
        """Whether its process is at work."""
        return self.state in LIVE_STATES

    @property
    def is_elsewhere(self) -> bool:
        """Whether its process is one of another host, or of this one before it was started anew."""
        return self.process_space not in ("", process_space())


def last_word(folder: Path) -> JobStatus:
    """What the process last said of itself, whether it is still there or not."""
    asked_to_stop = (folder / STOP_FILE).exists()  # before the status: it outlasts the last word
    try:
        with (folder / STATUS_FILE).open(encoding="utf-8") as file:
            updated = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC).isoformat()
            status = _status_of(json.load(file) | {"updated": updated})
    except OSError:
        return JobStatus("failed", message=N_("This run was never started."))
    except MALFORMED:
        return JobStatus("failed", message=N_("The status of this run cannot be read."))
    return replace(status, state="stopping") if status.is_live and asked_to_stop else status


def _status_of(values: dict[str, Any]) -> JobStatus:
    """Anything of the wrong kind raises what malformed JSON does."""
    values = {"host": "", "process_space": ""} | values  # older runs do not tell them
    told = {field.name: values[field.name] for field in fields(JobStatus)}
    for name in ("epoch", "epochs", "batch", "batches"):
        told[name] = int(told[name])
    for name, kind in (("seconds_left", float), ("memory_mb", float), ("pid", int)):
        told[name] = None if told[name] is None else kind(told[name])
    texts = (told[name] for name in ("message", "host", "process_space"))
    if told["state"] not in STATES or not all(isinstance(text, str) for text in texts):
        raise ValueError("no status")
    return JobStatus(**told)


def was_killed(status: JobStatus) -> bool:
    """Whether its last word is that it is at work, and its process is gone.

    Of a process of another host only its silence tells.
    """
    return status.is_live and not _process_is_there(status)


def why_it_is_gone(status: JobStatus) -> Message:
    """What to say of a process that :func:`was_killed`."""
    if not status.is_elsewhere:
        return _KILLED
    return N_(
        "For over {seconds} seconds nothing was heard of its process on the host {host}: it was "
        "killed, that computer was switched off, or it cannot reach this folder.",
        seconds=_SILENT_FOR,
        host=status.host,
    )


def write_status(folder: Path, status: JobStatus) -> None:
    """Replace ``status.json`` at once."""
    values = asdict(status)
    del values["updated"]
    replace_text(folder / STATUS_FILE, json.dumps(values, indent=2) + "\n")


def request_stop(folder: Path) -> None:
    """Ask a run to end after its current batch."""
    (folder / STOP_FILE).touch()


def withdraw_stop(folder: Path) -> None:
    """Forget an earlier request, before a run is started or resumed."""
    (folder / STOP_FILE).unlink(missing_ok=True)


class StatusWriter:
    """Writes the status of the job in a folder, at most twice a second unless it must be seen.

    Args:
        folder: of the job.
        epoch: whole epochs that are done and kept, in training.
        epochs: how many were asked for, in training.
    """

    def __init__(self, folder: Path, epoch: int = 0, epochs: int = 0) -> None:
        self.folder = folder
        self._written = 0.0
        self._status = JobStatus(
            "starting",
            epoch=epoch,
            epochs=epochs,
            pid=os.getpid(),
            process_started=process_identity(os.getpid()),
            host=socket.gethostname(),
            process_space=process_space(),
        )

    def say(self, *, at_once: bool = True, **changes: Any) -> None:  # noqa: ANN401
        """Change attributes of the status; with ``at_once=False`` some changes are not written."""
        self._status = replace(self._status, **changes)
        if at_once or time.monotonic() - self._written >= _WRITE_EVERY:
            self._written = time.monotonic()
            write_status(self.folder, replace(self._status, memory_mb=round(memory_mb(), 1)))

    def hold_reserve(self) -> None:
        """Hold back room on the disk for the last word."""
        (self.folder / _RESERVE_FILE).write_bytes(bytes(_RESERVE_BYTES))

    def end(self, **changes: Any) -> None:  # noqa: ANN401
        """Say the last word, into the room held back for it where the disk is full."""
        (self.folder / _RESERVE_FILE).unlink(missing_ok=True)
        self.say(**changes)
        withdraw_stop(self.folder)

    def count(
        self, items: Iterable, message: str, progress: Callable[[Iterable], Iterable] = iter
    ) -> Iterator:
        """Hand the items on and say how many are done, by `progress` as well."""
        items = list(items)
        self.say(batch=0, batches=len(items), message=message)
        for done, item in enumerate(progress(items), 1):
            yield item
            self.say(batch=done, at_once=False)

    def watch(
        self, items: Iterable, message: str, progress: Callable[[Iterable], Iterable] = iter
    ) -> Iterator:
        """Likewise, and heed a request to stop.

        Raises:
            TrainingStopped: a stop was requested.
        """
        for item in self.count(items, message, progress):
            self.heed_stop()
            yield item

    def heed_stop(self) -> None:
        """End the job here if that was asked for.

        Raises:
            TrainingStopped: a stop was requested.
        """
        if (self.folder / STOP_FILE).exists():
            raise TrainingStopped(self.stopped())

    def stopped(self) -> str:
        """What to say of a stop that was asked for."""
        return N_("Stopped.")


def _process_is_there(status: JobStatus) -> bool:
    age = datetime.now(UTC) - datetime.fromisoformat(status.updated)
    seconds = abs(age.total_seconds())  # the clock may have been set back
    if status.pid is None:  # it is just being started
        return seconds < _STARTING_FOR
    if status.is_elsewhere:
        return seconds < _SILENT_FOR
    identity = process_identity(status.pid)
    return identity is not None and identity == status.process_started


def why_it_failed(error: BaseException) -> str:
    """As a sentence for a clinician."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    if any("No space left on device" in str(link) for link in chain):
        return _DISK_FULL
    if any(_is_out_of_memory(link) for link in chain):
        return _MEMORY_OUT
    if isinstance(error, CovidCTError):
        return error.message
    if isinstance(error, OSError):
        return N_("A file could not be read or written: {reason}.", reason=error.strerror or error)
    return N_(
        "It failed by an error in the program ({kind}); see the log.", kind=type(error).__name__
    )


def _is_out_of_memory(error: BaseException) -> bool:
    """Python's own error, or TensorFlow's, known by name since TensorFlow is not imported here."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
