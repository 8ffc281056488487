"""A run whose trunks stay frozen: the head is solved anew after each view of the slices.

Each view counts as an epoch, so that there is something to watch and something to resume from. An
epoch is kept once its folder ``backup/epoch-NNNN`` is there, which appears in one step; it holds
the features of its view, and the head that was solved on all views so far.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from covidct.data.prepared import PreparedSlices
from covidct.errors import TrainingStopped
from covidct.files import flush_to_disk
from covidct.messages import N_
from covidct.models.backbones import get_preprocess_input
from covidct.models.head import Head
from covidct.models.pooling import TrunkMaps
from covidct.training.config import TrainConfig
from covidct.training.events import write_events
from covidct.training.mlflow_run import tell_mlflow
from covidct.training.probe import PooledViews, pooled_features, shows, solve_parts
from covidct.training.progress import ProgressWriter
from covidct.training.run_folder import (
    BACKUP_FOLDER,
    append_metrics,
    drop_metrics_after,
    epoch_folder,
    finished_epochs,
)

_UNFINISHED = "unfinished"
_BLANK, _VALIDATION, _VIEW, _HEAD = "without-lungs.npy", "validation.npy", "view.npy", "head.npz"


@dataclass(frozen=True, slots=True, eq=False)
class SolvedHead:
    """What comes of the epochs.

    Attributes:
        head: solved on all views.
        validation_logits: float (N,), of the validation slices as they are.
    """

    head: Head
    validation_logits: np.ndarray


def solve_views(
    run: Path,
    config: TrainConfig,
    trunks: TrunkMaps,
    training: PreparedSlices,
    validation: PreparedSlices,
    writer: ProgressWriter,
) -> SolvedHead:
    """Look at the slices in one way after the other, and solve the head after each.

    Goes on after the last whole epoch; stopped on request, it ends with the head of that one.

    Raises:
        TrainingStopped: stopped on request before the first epoch had ended.
    """
    epochs = _Epochs(run, config, trunks, training, validation, writer)
    drop_metrics_after(run, finished_epochs(run))
    try:
        while (done := finished_epochs(run)) < config.planned_epochs:
            epochs.run(done + 1)
    except TrainingStopped:
        if not finished_epochs(run):
            raise
    head = _read_head(epoch_folder(run, finished_epochs(run)))
    logits = head.logits(np.load(epoch_folder(run, 1) / _VALIDATION))
    return SolvedHead(head, logits)


def forget_views(run: Path) -> None:
    """Start over, on other features."""
    for folder in (run / BACKUP_FOLDER).glob("epoch-*"):
        shutil.rmtree(folder)
    drop_metrics_after(run, 0)


def drop_views(run: Path) -> None:
    """Remove the features of views, which no finished run needs any more."""
    for folder in (run / BACKUP_FOLDER).glob("epoch-*"):
        for name in (_VIEW, _BLANK):
            (folder / name).unlink(missing_ok=True)


class _Epochs:
    """What the epochs of a run share."""

    def __init__(
        self,
        run: Path,
        config: TrainConfig,
        trunks: TrunkMaps,
        training: PreparedSlices,
        validation: PreparedSlices,
        writer: ProgressWriter,
    ) -> None:
        self._run, self._config, self._trunks, self._writer = run, config, trunks, writer
        self._training, self._validation = training, validation
        self._preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
        self._blank, *self._views = shows(
            training, config.augmentation, views=config.probe_views, seed=config.seed
        )
        self._seconds_a_slice = self._seconds_to_solve = 0.0

    def run(self, epoch: int) -> None:
        """Do one epoch, counted from 1, and keep it."""
        unfinished = self._run / BACKUP_FOLDER / _UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        looks: dict[str, Callable[[], PreparedSlices]] = {_VIEW: self._views[epoch - 1]}
        if epoch == 1:
            looks |= {_BLANK: self._blank, _VALIDATION: lambda: self._validation}
        self._look(epoch, unfinished, looks)

        self._writer.say(message=N_("Fitting the linear head (logistic regression)."))
        started = time.monotonic()
        pooled = self._pooled(epoch, unfinished)
        head = solve_parts(self._trunks, pooled, balanced=self._config.class_weights)
        self._seconds_to_solve = (time.monotonic() - started) / epoch  # of one view

        first = epoch_folder(self._run, 1) if epoch > 1 else unfinished
        shown = (
            ("", self._training.labels, pooled.views[0]),
            ("val_", self._validation.labels, np.load(first / _VALIDATION)),
        )
        row: dict[str, float] = {}
        for prefix, labels, features in shown:
            figures = _figures(labels == 1, head.logits(features))
            row |= {f"{prefix}{name}": value for name, value in figures.items()}
        np.savez(
            unfinished / _HEAD,
            mean=head.mean,
            variance=head.variance,
            kernel=head.kernel,
            bias=head.bias,
        )
        for file in unfinished.iterdir():
            flush_to_disk(file)
        append_metrics(self._run, {"epoch": epoch - 1, **row})
        said = " - ".join(f"{name}: {value:.4f}" for name, value in row.items())
        print(f"Epoch {epoch}/{self._config.planned_epochs} - {said}")
        unfinished.rename(epoch_folder(self._run, epoch))
        write_events(self._run, epoch - 1, row)
        tell_mlflow(self._run)
        self._writer.say(epoch=epoch, seconds_left=self._seconds_left(epoch + 1, 0))
        self._writer.heed_stop()

    def _look(
        self, epoch: int, folder: Path, looks: dict[str, Callable[[], PreparedSlices]]
    ) -> None:
        """Write the features of slices in the ways that an epoch needs."""
        total, done = self._slices_of(epoch), 0
        self._writer.say(
            state="running",
            epoch=epoch - 1,
            batch=0,
            batches=total,
            message=N_("Extracting features."),
            seconds_left=self._seconds_left(epoch, 0),
        )
        started = time.monotonic()
        for name, show in looks.items():
            slices = show()

            def counted(pixels: Iterable) -> Iterator:
                nonlocal done
                for one in pixels:
                    yield one
                    done += 1
                    self._seconds_a_slice = (time.monotonic() - started) / done
                    self._writer.say(
                        batch=done, seconds_left=self._seconds_left(epoch, done), at_once=False
                    )
                    self._writer.heed_stop()

            features = pooled_features(self._trunks, slices, self._preprocess_input, counted)
            np.save(folder / name, features)

    def _slices_of(self, epoch: int) -> int:
        """How many slices the trunks look at in an epoch."""
        once = len(self._training.items)
        return 2 * once + len(self._validation.items) if epoch == 1 else once

    def _seconds_left(self, epoch: int, done: int) -> float | None:
        """From so many slices into an epoch until the last one ends, by what was seen so far."""
        if not self._seconds_a_slice:
            return None
        rest = range(epoch, self._config.planned_epochs + 1)
        looks = sum(map(self._slices_of, rest)) - done
        solves = sum(rest)  # of one view after the first epoch, of two after the second, …
        return round(max(0.0, looks * self._seconds_a_slice + solves * self._seconds_to_solve), 1)

    def _pooled(self, epoch: int, unfinished: Path) -> PooledViews:
        folders = [epoch_folder(self._run, number) for number in range(1, epoch)] + [unfinished]
        return PooledViews(
            np.stack([np.load(folder / _VIEW) for folder in folders]),
            np.load(folders[0] / _BLANK),
            self._training.labels,
        )


def _read_head(folder: Path) -> Head:
    with np.load(folder / _HEAD, allow_pickle=False) as arrays:
        return Head(arrays["mean"], arrays["variance"], arrays["kernel"], float(arrays["bias"]))


def _figures(ill: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """As Keras reports them after an epoch of fine-tuning; a positive logit calls COVID-19."""
    called = logits > 0
    return {
        "loss": float(np.mean(np.logaddexp(0, logits) - ill * logits)),
        "accuracy": float(np.mean(called == ill)),
        "sensitivity": float(np.mean(called[ill])),
        "specificity": float(np.mean(~called[~ill])),
        "auc": float(roc_auc_score(ill, logits)),
    }
