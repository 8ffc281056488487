"""Runs told to MLflow as they go, where MLFLOW_TRACKING_URI names a server of it.

pip install mlflow-skinny
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covidct.files import MALFORMED, replace_text
from covidct.inference.card import CARD_FILE, read_card
from covidct.jobs.status import last_word, was_killed
from covidct.training.run_folder import read_metrics, read_run_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

TRACKING_VARIABLE, EXPERIMENT_VARIABLE = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"

_EXPERIMENT = "covidct"  # where none is named
_TOLD_FILE = "mlflow.json"
_RUNNING = "RUNNING"
_ENDS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_MLFLOW_SETTINGS = {  # unless the environment says otherwise
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds to connect, and without a byte
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # which goes to its makers
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # a password may stand in it
}

_unheard: set[Path] = set()  # runs of which this process could not tell


def tell_mlflow(run: Path) -> None:
    """Tell MLflow what it does not know yet of a run: settings, figures, how it ended.

    A training run is one run of MLflow, however often it is resumed: ``mlflow.json`` in its folder
    holds which one, and what was told. The step of an epoch's figures is its number, from 0. The
    figures of the finished model on the validation slices begin with ``validation/``. A run that
    was stopped is "KILLED" in MLflow's words. Nothing of slices or patients and no path is sent.

    A failure is printed, and the address is not, since a password may stand in it. Then no more is
    sent until the run has ended, when what is missing is sent after all.
    """
    if not os.environ.get(TRACKING_VARIABLE) or (run in _unheard and last_word(run).is_live):
        return
    try:
        _tell(run)
        _unheard.discard(run)
    except Exception as error:  # whatever it is, the training goes on
        if run not in _unheard:
            print(f"MLflow is told no more of this run until it has ended: {_reason(error)}.")
        _unheard.add(run)


def _tell(run: Path) -> None:
    os.environ.update(_MLFLOW_SETTINGS | os.environ)
    from mlflow import MlflowClient
    from mlflow.entities import Param

    settings = read_run_folder(run).config.as_flat_dict()
    state, rows, validation = _state(run), read_metrics(run), _validation(run)
    client = MlflowClient()
    told = _read_told(run) or _begin(client, run)
    if told["state"] != _RUNNING:
        client.update_run(told["id"], _RUNNING)
        client.log_batch(told["id"], params=[Param(*map(str, pair)) for pair in settings.items()])
    told_rows = {str(row) for row in told["epochs"]}  # as text, in which nan is itself
    for row in rows:
        if str(row) not in told_rows:
            client.log_batch(told["id"], _metrics(row, int(row["epoch"])))
    if validation and str(validation) != str(told["validation"]):
        client.log_batch(told["id"], _metrics(validation, len(rows)))
    if state != _RUNNING:
        client.set_terminated(told["id"], state)
    _keep_told(run, {**told, "state": state, "epochs": rows, "validation": validation})


def _begin(client: "MlflowClient", run: Path) -> dict[str, Any]:
    """A run of MLflow that has been told nothing."""
    name = os.environ.get(EXPERIMENT_VARIABLE) or _EXPERIMENT
    experiment = client.get_experiment_by_name(name)
    number = experiment.experiment_id if experiment else client.create_experiment(name)
    begun = client.create_run(number, run_name=run.name)
    told = {"id": begun.info.run_id, "state": "", "epochs": [], "validation": {}}
    _keep_told(run, told)
    return told


def _state(run: Path) -> str:
    status = last_word(run)
    return _ENDS["failed"] if was_killed(status) else _ENDS.get(status.state, _RUNNING)


def _validation(run: Path) -> dict[str, float]:
    """The figures of the model that a run has left; empty where it was not judged."""
    if not (run / CARD_FILE).exists():
        return {}
    figures = read_card(run).about.get("validation", {})
    return {
        f"validation/{name}": value
        for name, value in figures.items()
        if isinstance(value, int | float)
    }


def _metrics(figures: Mapping[str, float], step: int) -> "list[Metric]":
    from mlflow.entities import Metric

    now = time.time_ns() // 10**6
    return [Metric(name, value, now, step) for name, value in figures.items() if name != "epoch"]


def _read_told(run: Path) -> dict[str, Any]:
    try:
        return json.loads((run / _TOLD_FILE).read_text(encoding="utf-8"))
    except (OSError, *MALFORMED):
        return {}


def _keep_told(run: Path, told: dict[str, Any]) -> None:
    replace_text(run / _TOLD_FILE, json.dumps(told, indent=2) + "\n")


def _reason(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    return type(error.__context__ or error).__name__
