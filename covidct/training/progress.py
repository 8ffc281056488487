"""The status of a training run: what was kept where it ended, and how it ended."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType

from covidct.errors import TrainingStopped
from covidct.jobs.sign_of_life import sign_of_life
from covidct.jobs.status import (
    JobStatus,
    StatusWriter,
    last_word,
    request_stop,
    was_killed,
    why_it_failed,
    why_it_is_gone,
)
from covidct.messages import N_, Message, joined
from covidct.training.mlflow_run import tell_mlflow
from covidct.training.run_folder import finished_epochs, is_trained, planned_epochs, read_settings

_RESERVE_MEMORY = 32 * 2**20  # bytes, for the last word


def read_status(folder: Path) -> JobStatus:
    """The status of a run; one whose process is gone without saying so reads as "failed"."""
    status = last_word(folder)
    if was_killed(status):
        return replace(
            status,
            state="failed",
            epoch=finished_epochs(folder),
            seconds_left=None,
            message=joined(why_it_is_gone(status), _what_was_kept(folder)),
        )
    return status


class ProgressWriter(StatusWriter):
    """Writes the progress of the training run in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, finished_epochs(folder), planned_epochs(folder))

    def stopped(self) -> str:
        """What to say of a stop that was asked for, and what was kept."""
        return joined(N_("Stopped."), _what_was_kept(self.folder))


@contextlib.contextmanager
def recorded_run(folder: Path) -> Iterator[None]:
    """Leave in ``status.json`` how the training inside ended: finished, stopped, or failed and why.

    MLflow is told of begin and end. SIGTERM counts as a request to stop. A block inside another one
    for the same folder does nothing, so that the outermost one says the last word.

    Raises:
        ConfigError: there is no run in the folder.
    """
    if folder in _recorded:
        yield
        return
    read_settings(folder)
    _recorded.add(folder)
    writer, memory = ProgressWriter(folder), bytearray(_RESERVE_MEMORY)
    try:
        writer.say(message=N_("Starting."))
        writer.hold_reserve()
        with _stop_on_sigterm(folder), sign_of_life(folder):
            tell_mlflow(folder)
            yield
    except (TrainingStopped, KeyboardInterrupt) as stop:
        _say_the_last_word(writer, "stopped", _why_it_stopped(stop, folder))
        raise
    except BaseException as error:
        memory.clear()
        why = joined(why_it_failed(error), _what_was_kept(folder))
        _say_the_last_word(writer, "failed", why)
        raise
    else:
        finished = is_trained(folder)
        sentence = "" if finished else joined(N_("Stopped."), _what_was_kept(folder))
        _say_the_last_word(writer, "finished" if finished else "stopped", sentence)
    finally:
        _recorded.discard(folder)
        tell_mlflow(folder)


_recorded: set[Path] = set()


def _say_the_last_word(writer: ProgressWriter, state: str, message: str) -> None:
    done = finished_epochs(writer.folder)
    writer.end(state=state, epoch=done, seconds_left=None, message=message)


@contextlib.contextmanager
def _stop_on_sigterm(folder: Path) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def stop(number: int, frame: FrameType | None) -> None:
        request_stop(folder)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _why_it_stopped(stop: TrainingStopped | KeyboardInterrupt, folder: Path) -> Message:
    if isinstance(stop, TrainingStopped):
        return stop.message
    return joined(N_("Interrupted."), _what_was_kept(folder))


def _what_was_kept(folder: Path) -> Message:
    done, planned = finished_epochs(folder), planned_epochs(folder)
    if not done:
        return N_("No epoch had ended: resuming starts over. The model in use is untouched.")
    return N_(
        "{done} of {planned} epochs are kept, and resuming goes on from there. The model in use is "
        "untouched.",
        done=done,
        planned=planned,
    )
