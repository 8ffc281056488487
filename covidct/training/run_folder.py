"""The folder of a training run: what it was asked for, and how far it has come."""

import csv
import json
from pathlib import Path

from covidct.errors import ConfigError
from covidct.training.config import TrainConfig

CONFIG_FILE, METRICS_FILE, SKIPPED_FILE = "config.json", "metrics.csv", "skipped.csv"
BACKUP_FOLDER, BEST_WEIGHTS = "backup", "best.weights.h5"
MONITORED = "val_auc"


def start_run_folder(run: Path, data: Path, config: TrainConfig) -> None:
    """Make the folder and write down data set and settings.

    Raises:
        ConfigError: the folder holds something already.
    """
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise ConfigError(
            f"The run folder {run} is in use. Name a new one, or resume the run in it (--resume)."
        )
    run.mkdir(parents=True, exist_ok=True)
    settings = {"data": str(data), **config.as_flat_dict()}
    (run / CONFIG_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def read_run_folder(run: Path) -> tuple[Path, TrainConfig]:
    """Data set and settings of a run that was started.

    Raises:
        ConfigError: no run was started in that folder, or its settings cannot be read.
    """
    try:
        settings = json.loads((run / CONFIG_FILE).read_text(encoding="utf-8"))
        return Path(settings.pop("data")), TrainConfig.from_flat_dict(settings)
    except OSError as error:
        raise ConfigError(f"There is no run to resume in {run}.") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError(f"The settings of the run in {run} cannot be read.") from error


def read_metrics(run: Path) -> list[dict[str, float]]:
    """The rows of ``metrics.csv``, one an epoch; empty before the first epoch has ended."""
    path = run / METRICS_FILE
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as rows:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(rows)]


def finished_epochs(run: Path) -> int:
    """How many epochs the backed-up state has behind it."""
    metadata = run / BACKUP_FOLDER / "training_metadata.json"
    return json.loads(metadata.read_text())["epoch"] if metadata.exists() else 0


def drop_metrics_after(run: Path, epochs: int) -> None:
    """Remove rows of epochs that were logged but not backed up; they will be run again."""
    path = run / METRICS_FILE
    if path.exists():
        kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[: epochs + 1]
        path.write_text("".join(kept), encoding="utf-8")
