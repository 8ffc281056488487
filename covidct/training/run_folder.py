"""The folder of a training run: what it was asked for, and what it has come to."""

import contextlib
import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from covidct.errors import ConfigError
from covidct.files import MALFORMED, replace_text
from covidct.messages import N_
from covidct.training.config import TrainConfig

CONFIG_FILE, METRICS_FILE, SKIPPED_FILE = "config.json", "metrics.csv", "skipped.csv"
BACKUP_FOLDER, BEST_WEIGHTS = "backup", "best.weights.h5"
MONITORED = "val_auc"

_EPOCH_FOLDER = re.compile(r"epoch-(\d+)")


class RunRequest(NamedTuple):
    """What a run was asked for.

    Attributes:
        data: the data set folder.
        config: the settings.
        exclude: slices to leave out, as :func:`covidct.data.index.read_index` takes them.
        masks: folders of slices with masks, as :func:`covidct.data.masks.read_masked_slices`
            reads them.
    """

    data: Path
    config: TrainConfig
    exclude: tuple[str, ...] = ()
    masks: tuple[Path, ...] = ()


def start_run_folder(
    run: Path,
    data: Path,
    config: TrainConfig,
    exclude: Sequence[str] = (),
    masks: Sequence[Path] = (),
) -> None:
    """Make the folder and write down data set, settings, what is left out, and folders of masks.

    Raises:
        ConfigError: the folder holds something already.
    """
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise ConfigError(
            N_(
                "The run folder {run} is in use. Name a new one, or resume the run in it "
                "(--resume).",
                run=run,
            )
        )
    run.mkdir(parents=True, exist_ok=True)
    settings = {
        "data": str(data),
        "exclude": sorted(exclude),
        "masks": [str(folder.resolve()) for folder in masks],
        **config.as_flat_dict(),
    }
    replace_text(run / CONFIG_FILE, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def read_settings(run: Path) -> dict[str, Any]:
    """What stands in ``config.json``: data, exclude, masks and the settings by name; no TensorFlow
    needed.

    Raises:
        ConfigError: no run was started in that folder, or its settings cannot be read.
    """
    try:
        settings = json.loads((run / CONFIG_FILE).read_text(encoding="utf-8"))
        return {"exclude": [], "masks": [], **settings, "data": str(settings["data"])}
    except OSError as error:
        raise ConfigError(N_("There is no run to resume in {run}.", run=run)) from error
    except MALFORMED as error:
        raise ConfigError(
            N_("The settings of the run in {run} cannot be read.", run=run)
        ) from error


def read_run_folder(run: Path) -> RunRequest:
    """What a run was asked for.

    Raises:
        ConfigError: no run was started in that folder, or its settings cannot be read.
    """
    settings = read_settings(run)
    data, exclude, masks = (settings.pop(name) for name in ("data", "exclude", "masks"))
    try:
        config = TrainConfig.from_flat_dict(settings)
        return RunRequest(Path(data), config, tuple(exclude), tuple(map(Path, masks)))
    except MALFORMED as error:
        raise ConfigError(
            N_("The settings of the run in {run} cannot be read.", run=run)
        ) from error


def planned_epochs(run: Path) -> int:
    """How many epochs a run was asked for; 0 where that cannot be read."""
    try:
        return read_run_folder(run).config.planned_epochs
    except ConfigError:
        return 0


def append_metrics(run: Path, row: Mapping[str, float]) -> None:
    """Add the row of an epoch to ``metrics.csv``; its number first, the rest by name."""
    path = run / METRICS_FILE
    names = ["epoch", *sorted(row.keys() - {"epoch"})]
    is_new = not path.exists() or not path.stat().st_size
    with path.open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names, quoting=csv.QUOTE_ALL, lineterminator="\n")
        if is_new:
            table.writeheader()
        table.writerow(row)


def read_metrics(run: Path) -> list[dict[str, float]]:
    """The rows of ``metrics.csv``, one an epoch; empty before the first epoch has ended.

    Rows that are half written or damaged are left out.
    """
    path = run / METRICS_FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    table = csv.DictReader(line for line in lines if line.endswith("\n"))
    rows = []
    for row in table:
        with contextlib.suppress(*MALFORMED):
            figures = {name: float(value) for name, value in row.items()}
            rows.append({**figures, MONITORED: figures[MONITORED]})
    return rows


def epoch_folder(run: Path, epochs: int) -> Path:
    """Where the state after so many epochs is backed up."""
    return run / BACKUP_FOLDER / f"epoch-{epochs:04d}"


def finished_epochs(run: Path) -> int:
    """How many epochs the backed-up state has behind it."""
    folders = (run / BACKUP_FOLDER).glob("epoch-*")
    numbers = (_EPOCH_FOLDER.fullmatch(folder.name) for folder in folders)
    return max((int(number[1]) for number in numbers if number), default=0)


def is_trained(run: Path) -> bool:
    """Whether no epoch is left to do: as many as planned, or no progress for as long as allowed.

    Raises:
        ConfigError: the settings cannot be read.
    """
    config, done = read_run_folder(run).config, finished_epochs(run)
    if done >= config.planned_epochs:
        return True
    patience = config.early_stopping if config.finetuning_epochs else 0
    return bool(patience) and done - best_epoch(read_metrics(run)[:done]) >= patience


def best_epoch(rows: list[dict[str, float]]) -> int:
    """The first epoch with the highest monitored figure, counted from 1; 0 before the first."""
    figures = [row[MONITORED] for row in rows]
    return figures.index(max(figures)) + 1 if figures else 0


def kept_epoch(run: Path) -> int:
    """The epoch whose weights are kept, counted from 1; 0 before the first.

    With fine-tuning it is the best; a head is solved on all views so far, so the last one counts.
    0 also where the settings cannot be read.
    """
    rows = read_metrics(run)
    try:
        finetuned = read_run_folder(run).config.finetuning_epochs > 0
    except ConfigError:
        return 0
    return best_epoch(rows) if finetuned else len(rows)


def drop_metrics_after(run: Path, epochs: int) -> None:
    """Remove rows of epochs that were logged but not backed up; they will be run again."""
    path = run / METRICS_FILE
    if path.exists():
        kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[: epochs + 1]
        replace_text(path, "".join(kept) if epochs else "")
