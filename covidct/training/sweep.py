"""Runs that differ in one setting, each of its values trained on the same folds of patients."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from covidct.data.index import read_index
from covidct.errors import ConfigError
from covidct.files import MALFORMED, replace_text
from covidct.messages import N_
from covidct.training import jobs, queue
from covidct.training.config import TrainConfig
from covidct.training.run_folder import start_run_folder

MOST_VALUES, FOLDS = 6, (3, 5, 10)

_FILE = "sweep.json"


@dataclass(frozen=True, slots=True)
class Sweep:
    """Runs that belong together; those that were deleted are missing.

    Attributes:
        name: of the sweep.
        setting: its name in TrainConfig.
        values: of the setting, in the order in which they were asked for.
        folds: how many.
        runs: run folders by the number of the value and that of the fold, both from 0.
    """

    name: str
    setting: str
    values: tuple[Any, ...]
    folds: int
    runs: dict[tuple[int, int], Path]


def start_sweep(
    data: Path,
    config: TrainConfig,
    setting: str,
    values: Sequence[Any],
    folds: int,
    name: str | None = None,
    exclude: Sequence[str] = (),
    masks: Sequence[Path] = (),
) -> tuple[Path, ...]:
    """Queue a run for each value and fold; all values of a fold before those of the next.

    Args:
        data: a data set folder; its test list is left out.
        config: the settings that all share.
        setting: the name in TrainConfig of the one that they do not.
        values: two to :data:`MOST_VALUES` of it; others are compared with the first.
        folds: of patients, the same for each value, by the seed of `config`.
        name: of the sweep, with which the names of its runs begin; by default time and setting.
        exclude: slices to leave out, as :func:`covidct.data.index.read_index` takes them.
        masks: as :func:`covidct.training.jobs.start` takes them.

    Returns:
        The run folders, in the order of the queue.

    Raises:
        ConfigError: a value or the name cannot be taken, or runs may take no more of the disk;
            nothing is queued.
        DatasetError: too few patients for so many folds; nothing is queued.
    """
    if len(set(map(repr, values))) != len(values) or not 2 <= len(values) <= MOST_VALUES:
        raise ConfigError(N_("A sweep takes two to {most} different values.", most=MOST_VALUES))
    jobs.require_room()
    base = config.as_flat_dict()
    name = name or f"{datetime.now(UTC):%Y-%m-%d %H.%M.%S} {setting}"
    planned = [
        (
            jobs.new_folder(f"{name} {value} fold {fold} of {folds}"),
            TrainConfig.from_flat_dict(base | {setting: value, "fold": f"{fold}/{folds}"}),
            {
                "sweep": name,
                "setting": setting,
                "values": list(values),
                "folds": folds,
                "value": number,
                "fold": fold - 1,
            },
        )
        for fold in range(1, folds + 1)
        for number, value in enumerate(values)
    ]
    from covidct.data.splits import split_for_training  # it brings scikit-learn, which pages lack

    first = planned[0][1]
    split_for_training(read_index(data, exclude), 0.0, first.seed, first.fold_of_folds)
    runs = tuple(folder for folder, _, _ in planned)
    try:
        for folder, changed, belongs in planned:
            start_run_folder(folder, Path(data).resolve(), changed, exclude, masks)
            replace_text(folder / _FILE, json.dumps(belongs) + "\n")
    except OSError:
        for folder in runs:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    for folder in runs:
        queue.put(folder)
    return runs


def list_sweeps() -> tuple[Sweep, ...]:
    """All sweeps of which there are runs, the newest first."""
    sweeps: dict[str, Sweep] = {}
    for folder in jobs.list_runs():
        try:
            held = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            place = int(held["value"]), int(held["fold"])
            values, folds = tuple(held["values"]), int(held["folds"])
            found = Sweep(str(held["sweep"]), str(held["setting"]), values, folds, {})
            known = all(isinstance(value, str | int | float) for value in values)
            if not (known and 0 <= place[0] < len(values) and 0 <= place[1] < folds):
                continue
        except (OSError, *MALFORMED):
            continue
        sweeps.setdefault(found.name, found).runs.setdefault(place, folder)
    return tuple(sweeps.values())
