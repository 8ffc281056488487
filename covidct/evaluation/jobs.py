"""Evaluation as a process of its own: start, cancel and look after evaluations; all state on disk.

One evaluation at a time, by a lock that its process holds for as long as it lives.
"""

import contextlib
import json
import os
import shutil
import signal
import zipfile
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from covidct.errors import ConfigError
from covidct.evaluation.request import REQUEST_FILE, Request, is_shipped
from covidct.evaluation.results import (
    AUDIT_FILE,
    FAITHFULNESS_FILE,
    METRICS_FILE,
    PREDICTIONS_FILE,
)
from covidct.files import nothing_left, replace_text
from covidct.home import evaluations_dir
from covidct.inference.promotion import SHIPPED_DIR
from covidct.jobs import action_log
from covidct.jobs.lock import take_lock
from covidct.jobs.process import collect_children, launch
from covidct.jobs.status import (
    LOG_FILE,
    JobStatus,
    last_word,
    request_stop,
    was_killed,
    why_it_is_gone,
    write_status,
)
from covidct.messages import N_
from covidct.quota import EVALUATIONS, MEGABYTE

INTERRUPTED = "interrupted"
RESULT_FILES = (METRICS_FILE, PREDICTIONS_FILE, AUDIT_FILE, FAITHFULNESS_FILE)

_LOCK_FILE = ".evaluation.lock"


def start(model: Path, data: Path, split: str) -> Path:
    """Start an evaluation in a process of its own, which outlives this one.

    Args:
        model: a model folder.
        data: a data set folder.
        split: as :meth:`covidct.data.index.Index.subset` names it.

    Returns:
        The folder that will hold the results.

    Raises:
        ConfigError: another evaluation is live, which is named, or evaluations take all that they
            may of the disk.
    """
    _require_room()
    lock = take_lock(evaluations_dir() / _LOCK_FILE, lambda: live_evaluation() is not None)
    if lock is None:
        live = live_evaluation()
        raise ConfigError(
            N_(
                "{live} is in progress, and only one evaluation can be at a time. Wait for it or "
                "cancel it.",
                live=N_("“{name}”", name=live.name) if live else N_("Another evaluation"),
            )
        )
    try:
        request = Request(model.resolve(), data.resolve(), split)
        folder = _free_folder(f"{datetime.now(UTC):%Y-%m-%d %H.%M.%S} {model.name} {split}")
        with nothing_left(folder):
            folder.mkdir()
            values = {name: str(value) for name, value in asdict(request).items()}
            replace_text(folder / REQUEST_FILE, json.dumps(values, ensure_ascii=False) + "\n")
            write_status(folder, JobStatus("starting"))
            launch(["-m", "covidct.evaluation.work", str(folder)], folder / LOG_FILE, lock)
    finally:
        os.close(lock)
    return folder


def cancel(folder: Path) -> None:
    """End a live evaluation; what it has not written yet is lost. One of another host ends when
    it sees that it was asked to.

    Raises:
        ConfigError: it is not live.
    """
    status = read_status(folder)
    if not status.is_live:
        raise ConfigError(N_("This evaluation is not in progress."))
    request_stop(folder)
    if status.pid is not None and not status.is_elsewhere:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(status.pid, signal.SIGTERM)


def read_status(folder: Path) -> JobStatus:
    """How far an evaluation has come; "interrupted" where its process is gone without a word.

    Shipped results, which no process on this computer made, are "finished".
    """
    if is_shipped(folder):
        return JobStatus("finished")
    status = last_word(folder)
    if was_killed(status):
        return replace(status, state=INTERRUPTED, message=why_it_is_gone(status))
    return status


def has_results(folder: Path) -> bool:
    """Whether there is something to show, be it without the audit."""
    return (folder / METRICS_FILE).is_file() and (folder / PREDICTIONS_FILE).is_file()


def live_evaluation() -> Path | None:
    """The evaluation whose process is at work, if any."""
    return next((folder for folder in list_evaluations() if read_status(folder).is_live), None)


def list_evaluations() -> tuple[Path, ...]:
    """The folders of all evaluations made here, newest first."""
    collect_children()
    found = (file.parent for file in evaluations_dir().glob(f"[!.]*/{REQUEST_FILE}"))
    return tuple(sorted(found, reverse=True))


def shipped_evaluations() -> tuple[Path, ...]:
    """The folders of results that came with the shipped models, in order of their names."""
    found = (file.parent for file in SHIPPED_DIR.glob(f"*/*/{METRICS_FILE}"))
    return tuple(sorted(found, key=lambda folder: str(folder).casefold()))


def delete(folder: Path) -> None:
    """Remove an evaluation and its results.

    Raises:
        ConfigError: it is live, or there is none in the folder.
        LogError: it is deleted, but the log of actions cannot be written.
    """
    if not (folder / REQUEST_FILE).is_file():
        raise ConfigError(N_("There is no evaluation in {folder}.", folder=folder))
    if read_status(folder).is_live:
        raise ConfigError(N_("This evaluation is in progress. Cancel it first."))
    doomed = folder.with_name(f".deleted {folder.name} {os.getpid()}")
    folder.rename(doomed)
    shutil.rmtree(doomed)
    action_log.record(N_("Deleted an evaluation"), folder.name)


def zip_results(folder: Path, out: BinaryIO) -> None:
    """Write the result files of an evaluation, those that there are, as a ZIP archive."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in RESULT_FILES:
            if (folder / name).is_file():
                archive.write(folder / name, name)


def _require_room() -> None:
    taken, allowed = EVALUATIONS.taken(), EVALUATIONS.allowed()
    if taken >= allowed:
        raise ConfigError(
            N_(
                "Evaluations take {taken:,} MB of the disk and may take {allowed:,} MB, so no new "
                "one begins. Delete some on the Evaluation page, or raise {variable}, which "
                "whoever runs the server can.",
                taken=taken // MEGABYTE,
                allowed=allowed // MEGABYTE,
                variable=EVALUATIONS.variable,
            )
        )


def _free_folder(name: str) -> Path:
    names = (name, *(f"{name} ({number})" for number in range(2, 100)))
    return next(f for one in names if not (f := evaluations_dir() / one).exists())
