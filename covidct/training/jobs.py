"""Training as a process of its own: start, stop, resume and look after runs; all state on disk.

One run at a time, by a lock that its process holds for as long as it lives.
"""

import os
import re
import shutil
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from covidct.errors import ConfigError
from covidct.files import nothing_left
from covidct.home import runs_dir
from covidct.jobs import action_log
from covidct.jobs.lock import take_lock
from covidct.jobs.process import collect_children, launch
from covidct.jobs.status import LOG_FILE, JobStatus, request_stop, withdraw_stop, write_status
from covidct.messages import N_
from covidct.training.progress import read_status
from covidct.training.run_folder import (
    BACKUP_FOLDER,
    BEST_WEIGHTS,
    CONFIG_FILE,
    finished_epochs,
    is_trained,
    planned_epochs,
    start_run_folder,
)

if TYPE_CHECKING:
    from covidct.training.config import TrainConfig

_LOCK_FILE = ".training.lock"
_LOCK_VARIABLE = "COVIDCT_TRAINING_LOCK"  # the descriptor of the lock that a run was handed
_NAME = re.compile(r"[^\W_][\w .+()-]{0,79}")
_NOT_IN_ZIP = (BACKUP_FOLDER, BEST_WEIGHTS)


def start(
    data: Path, config: "TrainConfig", name: str | None = None, exclude: Sequence[str] = ()
) -> Path:
    """Start a run in a process of its own, which outlives this one.

    Args:
        data: a data set folder.
        config: the settings.
        name: of the run; by default the time and the backbone.
        exclude: slices to leave out, as :func:`covidct.data.index.read_index` takes them.

    Returns:
        The run folder.

    Raises:
        ConfigError: another run is live, which is named, or the name is bad or taken.
    """
    lock = _take_turn()
    try:
        folder = _new_folder(name or f"{datetime.now(UTC):%Y-%m-%d %H.%M.%S} {config.backbone}")
        with nothing_left(folder):
            start_run_folder(folder, Path(data).resolve(), config, exclude)
            _launch(folder, lock)
    finally:
        os.close(lock)
    return folder


def resume(folder: Path) -> None:
    """Go on with a run that was stopped, failed or was killed, in a process of its own.

    Raises:
        ConfigError: another run is live, this one is finished, or there is none in the folder.
    """
    if is_trained(folder) and read_status(folder).state == "finished":
        raise ConfigError(
            N_("The run “{folder}” has finished: there is nothing to resume.", folder=folder.name)
        )
    lock = _take_turn()
    try:
        _launch(folder, lock)
    finally:
        os.close(lock)


def stop(folder: Path) -> None:
    """Ask a live run to end after its current batch, keeping the best weights; returns at once.

    Raises:
        ConfigError: the run is not live.
    """
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
    _require_idle(folder)
    target = _new_folder(new_name)
    folder.rename(target)
    return target


def delete(folder: Path) -> None:
    """Remove a run and all it holds; a model that was promoted from it stays in use.

    Raises:
        ConfigError: the run is live, or there is none in the folder.
        LogError: it is deleted, but the log of actions cannot be written.
    """
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


def enter(folder: Path) -> None:
    """Called by a training process before anything else: make sure that it may run.

    A run below :func:`covidct.home.runs_dir` holds the lock until its process ends, whether it was
    started by :func:`start` or from a terminal.

    Raises:
        ConfigError: another process trains already.
    """
    handed = os.environ.pop(_LOCK_VARIABLE, None)
    if handed is not None:
        os.set_inheritable(int(handed), False)
        return
    status = read_status(folder)
    if status.is_live:
        raise ConfigError(
            N_(
                "The run “{folder}” is at work in process {pid} already.",
                folder=folder.name,
                pid=status.pid,
            )
        )
    if folder.resolve().parent == runs_dir().resolve():
        _take_turn()  # left open: it ends with the process
    if folder.is_dir():
        withdraw_stop(folder)


def _launch(folder: Path, lock: int) -> None:
    """Start the run's process and hand it the lock."""
    withdraw_stop(folder)
    queued = JobStatus("queued", epoch=finished_epochs(folder), epochs=planned_epochs(folder))
    write_status(folder, queued)
    launch(
        ["-m", "covidct", "train", "--run", str(folder), "--resume"],
        folder / LOG_FILE,
        lock,
        {_LOCK_VARIABLE: str(lock)},
    )


def _take_turn() -> int:
    """The descriptor of the lock that only one training may hold.

    Raises:
        ConfigError: another process holds it.
    """
    lock = take_lock(runs_dir() / _LOCK_FILE, lambda: live_run() is not None)
    if lock is None:
        live = live_run()
        raise ConfigError(
            N_(
                "{live} is being trained, and only one can be at a time. Wait for it or stop it.",
                live=N_("The run “{name}”", name=live.name) if live else N_("Another run"),
            )
        )
    return lock


def _new_folder(name: str) -> Path:
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
