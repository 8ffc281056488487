"""Training as a process of its own: start, stop, resume and look after runs; all state on disk.

One run at a time, by a lock that its process holds for as long as it lives; others wait in the
queue (:mod:`covidct.training.queue`).
"""

import contextlib
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from covidct.errors import ConfigError
from covidct.files import nothing_left
from covidct.home import runs_dir
from covidct.jobs import action_log
from covidct.jobs.lock import take_lock
from covidct.jobs.process import collect_children
from covidct.jobs.status import request_stop, withdraw_stop
from covidct.messages import N_, joined
from covidct.quota import MEGABYTE, RUNS, bytes_in
from covidct.training import queue
from covidct.training.progress import read_status
from covidct.training.run_folder import (
    BACKUP_FOLDER,
    BEST_WEIGHTS,
    CONFIG_FILE,
    finished_epochs,
    is_trained,
    start_run_folder,
)

if TYPE_CHECKING:
    from covidct.training.config import TrainConfig

_NAME = re.compile(r"[^\W_][\w .+()-]{0,79}")
_NOT_IN_ZIP = (BACKUP_FOLDER, BEST_WEIGHTS)


def start(
    data: Path,
    config: "TrainConfig",
    name: str | None = None,
    exclude: Sequence[str] = (),
    masks: Sequence[Path] = (),
) -> Path:
    """Queue a run, which begins at once where nothing is before it, in a process of its own that
    outlives this one.

    Args:
        data: a data set folder.
        config: the settings.
        name: of the run; by default the time and the backbone.
        exclude: slices to leave out, as :func:`covidct.data.index.read_index` takes them.
        masks: folders of slices with masks, as :func:`covidct.data.masks.read_masked_slices` reads
            them.

    Returns:
        The run folder.

    Raises:
        ConfigError: the name is bad or taken, or runs may take no more of the disk.
    """
    require_room()
    folder = new_folder(name or f"{datetime.now(UTC):%Y-%m-%d %H.%M.%S} {config.backbone}")
    with nothing_left(folder):
        start_run_folder(folder, Path(data).resolve(), config, exclude, masks)
        queue.put(folder)
    return folder


def resume(folder: Path) -> None:
    """Queue a run that was stopped, failed or was killed; it goes on from what was kept.

    Raises:
        ConfigError: it is live, waits already or is finished, or there is none in the folder.
    """
    if is_trained(folder) and read_status(folder).state == "finished":
        raise ConfigError(
            N_("The run “{folder}” has finished: there is nothing to resume.", folder=folder.name)
        )
    _require_idle(folder)
    queue.put(folder)


def stop(folder: Path) -> None:
    """Ask a live run to end after its current batch, keeping the best weights; returns at once. One
    that waits is taken out of the queue.

    Raises:
        ConfigError: the run is neither live nor waits.
    """
    if queue.is_queued(folder):
        queue.cancel(folder)
        return
    if not read_status(folder).is_live:
        raise ConfigError(N_("The run “{folder}” is not running.", folder=folder.name))
    request_stop(folder)


def live_run() -> Path | None:
    """The run whose process is at work, if any."""
    return next((folder for folder in list_runs() if read_status(folder).is_live), None)


def list_runs() -> tuple[Path, ...]:
    """The folders of all runs below :func:`covidct.home.runs_dir`, newest first."""
    collect_children()
    found = [
        (file.stat().st_mtime_ns, file.parent)
        for file in runs_dir().glob(f"*/{CONFIG_FILE}")
        if not file.parent.name.startswith(".")
    ]
    return tuple(folder for _, folder in sorted(found, reverse=True))


def rename(folder: Path, new_name: str) -> Path:
    """Give a run another name; the model in it keeps the name it was trained under.

    Raises:
        ConfigError: the run is live, or the name is bad or taken.
    """
    with queue.changing():
        _require_idle(folder)
        target = new_folder(new_name)
        folder.rename(target)
    return target


def delete(folder: Path) -> None:
    """Remove a run and all it holds; a model that was promoted from it stays in use.

    Raises:
        ConfigError: the run is live, or there is none in the folder.
        LogError: it is deleted, but the log of actions cannot be written.
    """
    with queue.changing():
        _require_idle(folder)
        doomed = folder.with_name(f".deleted {folder.name} {os.getpid()}")
        folder.rename(doomed)
    shutil.rmtree(doomed)
    action_log.record(N_("Deleted a run"), folder.name)


def zip_run(folder: Path, out: BinaryIO) -> None:
    """Write a run as a ZIP archive, all but the state that only resuming needs.

    Raises:
        ConfigError: the run is live, or there is none in the folder.
    """
    _require_idle(folder)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            inside = file.relative_to(folder)
            hidden = any(part.startswith(".") for part in inside.parts)
            if file.is_file() and not hidden and inside.parts[0] not in _NOT_IN_ZIP:
                archive.write(file, Path(folder.name) / inside)


def find_run(name: str) -> Path:
    """The folder of a run, by its name.

    Raises:
        ConfigError: there is none.
    """
    folder = next((folder for folder in list_runs() if folder.name == name), None)
    if folder is None:
        raise ConfigError(N_("There is no run “{name}”. See: python -m covidct runs", name=name))
    return folder


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Around all that a training process does: make sure that it may train.

    A run below :func:`covidct.home.runs_dir` holds the lock of training until its process ends, or
    until the end of this block, where it was started from a terminal; then the queue goes on.

    Raises:
        ConfigError: another process trains already.
    """
    handed = os.environ.pop(queue.LOCK_VARIABLE, None)
    if handed is not None:
        os.set_inheritable(int(handed), False)
        yield
        return
    status = read_status(folder)
    if status.is_live and status.pid is None:
        raise ConfigError(N_("The run “{folder}” is starting already.", folder=folder.name))
    if status.is_live:
        raise ConfigError(
            N_(
                "The run “{folder}” is at work already, on the host {host} in process {pid}.",
                folder=folder.name,
                host=status.host,
                pid=status.pid,
            )
        )
    lock = _take_turn() if folder.resolve().parent == runs_dir().resolve() else None
    if folder.is_dir():
        withdraw_stop(folder)
    if lock is None:
        yield
        return
    try:
        yield
    finally:
        os.close(lock)
        queue.advance()


def _take_turn() -> int:
    """The descriptor of the lock that only one training may hold.

    Raises:
        ConfigError: another process holds it.
    """
    lock = take_lock(runs_dir() / queue.TRAINING_LOCK, lambda: live_run() is not None)
    if lock is None:
        live = live_run()
        raise ConfigError(
            N_(
                "{live} is being trained, and only one can be at a time. Wait for it or stop it.",
                live=N_("The run “{name}”", name=live.name) if live else N_("Another run"),
            )
        )
    return lock


def require_room() -> None:
    """Refuse a new run where runs take all that they may of the disk.

    Raises:
        ConfigError: they do; it says which is the largest.
    """
    taken, allowed = RUNS.taken(), RUNS.allowed()
    if taken < allowed:
        return
    full = N_(
        "Runs take {taken:,} MB of the disk and may take {allowed:,} MB, so no new one begins. "
        "Delete some on the Training page under “Runs”, or raise {variable}, which whoever runs "
        "the server can.",
        taken=taken // MEGABYTE,
        allowed=allowed // MEGABYTE,
        variable=RUNS.variable,
    )
    ended = [(bytes_in(run), run.name) for run in list_runs() if not read_status(run).is_live]
    size, name = max(ended, default=(0, ""))
    largest = N_("The largest is “{name}” with {size:,} MB.", name=name, size=size // MEGABYTE)
    raise ConfigError(joined(full, largest) if ended else full)


def require_room_for(folder: Path) -> None:
    """Refuse to begin a run that waited while others took all that runs may of the disk.

    One that lies elsewhere, or has an epoch behind it, goes on.

    Raises:
        ConfigError: as of :func:`require_room`.
    """
    if folder.resolve().parent == runs_dir().resolve() and not finished_epochs(folder):
        require_room()


def new_folder(name: str) -> Path:
    """The folder that a run of this name will have; not made.

    Raises:
        ConfigError: the name is bad or taken.
    """
    if not _NAME.fullmatch(name) or name.endswith((" ", ".")):
        raise ConfigError(
            N_(
                "“{name}” cannot be the name of a run. Use up to 80 letters, digits, spaces and - "
                "_ . + ( ), beginning with a letter or digit.",
                name=name,
            )
        )
    folder = runs_dir() / name
    if folder.exists():
        raise ConfigError(N_("There is a run “{name}” already. Choose another name.", name=name))
    return folder


def _require_idle(folder: Path) -> None:
    if not (folder / CONFIG_FILE).is_file():
        raise ConfigError(N_("There is no run in {folder}.", folder=folder))
    if read_status(folder).is_live:
        raise ConfigError(N_("The run “{folder}” is at work. Stop it first.", folder=folder.name))
