"""The queue of training runs: which comes next, in files that every server and process reads.

A queued run is a run folder whose status is "queued"; the file ``turn`` in it holds its place. One
run is trained at a time, by whoever holds the lock of training. :func:`advance` hands that lock to
the first run of the queue. It is called when a run is queued, when one has ended (by the process
that attends it, so that the queue outlives servers), when a server starts, and by pages on which
somebody waits.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from covidct.errors import ConfigError
from covidct.files import replace_text
from covidct.home import runs_dir
from covidct.jobs.lock import take_lock
from covidct.jobs.process import launch
from covidct.jobs.status import (
    LOG_FILE,
    JobStatus,
    last_word,
    was_killed,
    withdraw_stop,
    write_status,
)
from covidct.messages import N_
from covidct.training.mlflow_run import tell_mlflow
from covidct.training.run_folder import finished_epochs, planned_epochs
from covidct.training.webhook import tell_webhook

TRAINING_LOCK = ".training.lock"
LOCK_VARIABLE = "COVIDCT_TRAINING_LOCK"  # the descriptor of the lock that a run was handed

_TURN_FILE, _QUEUE_LOCK = "turn", ".queue.lock"


def queued_runs() -> tuple[Path, ...]:
    """The folders of the runs that wait, the next one first."""
    waiting = [
        (_turn(file), file.parent.name, file.parent)
        for file in runs_dir().glob(f"[!.]*/{_TURN_FILE}")
        if is_queued(file.parent)
    ]
    return tuple(folder for _, _, folder in sorted(waiting))


def is_queued(folder: Path) -> bool:
    """Whether a run waits for its turn."""
    return last_word(folder).state == "queued"


def put(folder: Path) -> None:
    """Let a run wait at the end of the queue; it begins at once where nothing is before it.

    Raises:
        ConfigError: it is live, or waits already.
    """
    with changing():
        said = last_word(folder)
        if said.state == "queued" or (said.is_live and not was_killed(said)):
            raise ConfigError(
                N_("The run “{folder}” is at work or waits already.", folder=folder.name)
            )
        last = max((_turn(one / _TURN_FILE) for one in queued_runs()), default=0)
        replace_text(folder / _TURN_FILE, f"{last + 1}\n")
        withdraw_stop(folder)
        write_status(folder, _status(folder, "queued"))
    advance()


def cancel(folder: Path) -> None:
    """Take a run out of the queue; it stays as it is, and can be resumed.

    Raises:
        ConfigError: it does not wait, or not any more.
    """
    with changing():
        _require_queued(folder)
        taken_out = N_("Taken out of the queue.")
        write_status(folder, _status(folder, "stopped", taken_out))
        (folder / _TURN_FILE).unlink(missing_ok=True)


def cancel_all() -> None:
    """Take all runs out of the queue."""
    for folder in reversed(queued_runs()):
        with contextlib.suppress(ConfigError):  # it has begun meanwhile
            cancel(folder)


def move(folder: Path, places: int) -> None:
    """Let a run wait so many places further back, or further in front where that is negative.

    Raises:
        ConfigError: it does not wait, or not any more.
    """
    with changing():
        _require_queued(folder)
        order = list(queued_runs())
        place = order.index(folder)
        order.insert(max(0, place + places), order.pop(place))
        for number, one in enumerate(order, 1):
            replace_text(one / _TURN_FILE, f"{number}\n")


def advance() -> None:
    """Start the next run of the queue, in a process of its own, unless one is trained already."""
    if not queued_runs():  # as nearly always
        return
    with changing():
        if not (waiting := queued_runs()):
            return
        lock = take_lock(runs_dir() / TRAINING_LOCK, lambda: True)
        if lock is None:
            return
        try:
            _launch(waiting[0], lock)
        finally:
            os.close(lock)


@contextlib.contextmanager
def changing() -> Iterator[None]:
    """One change of the queue, or of the names of its runs, at a time."""
    runs_dir().mkdir(parents=True, exist_ok=True)
    with FileLock(runs_dir() / _QUEUE_LOCK):
        yield


def _launch(folder: Path, lock: int) -> None:
    """Start the run's process and who attends it, and hand them the lock."""
    write_status(folder, _status(folder, "starting"))
    launch(
        [
            *("-m", "covidct.jobs.attended"),
            *("-m", "covidct", "train", "--run", str(folder), "--resume"),
            *("--", "-m", "covidct.training.queue", str(folder)),
        ],
        folder / LOG_FILE,
        lock,
        {LOCK_VARIABLE: str(lock)},
    )
    (folder / _TURN_FILE).unlink(missing_ok=True)


def _status(folder: Path, state: str, message: str = "") -> JobStatus:
    done, planned = finished_epochs(folder), planned_epochs(folder)
    return JobStatus(state, epoch=done, epochs=planned, message=message)


def _turn(file: Path) -> int:
    """Who has no place that can be read comes last."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return sys.maxsize


def _require_queued(folder: Path) -> None:
    if folder not in queued_runs():
        raise ConfigError(
            N_("The run “{folder}” does not wait in the queue any more.", folder=folder.name)
        )


def _leave(folder: Path) -> None:
    """After a run, in the process that attended it: give the lock back, let the next begin, and
    tell of the end."""
    said = last_word(folder)
    if said.is_live and said.pid is None:
        failed = N_("The process ended before it began to train; see the log.")
        write_status(folder, replace(said, state="failed", message=failed))
    os.close(int(os.environ.pop(LOCK_VARIABLE)))
    advance()
    if folder.is_dir():  # nobody has renamed or deleted it yet
        tell_webhook(folder)
        if said.is_live:  # it was killed, or did not get so far
            tell_mlflow(folder)


if __name__ == "__main__":
    _leave(Path(sys.argv[1]))
