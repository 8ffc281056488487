"""Keras callbacks of a run: each epoch kept whole or not at all, and progress said as it goes."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from covidct.errors import ConfigError
from covidct.files import PART, flush_to_disk, link_or_copy
from covidct.messages import N_
from covidct.training.progress import ProgressWriter
from covidct.training.run_folder import (
    BACKUP_FOLDER,
    BEST_WEIGHTS,
    append_metrics,
    best_epoch,
    drop_metrics_after,
    epoch_folder,
    finished_epochs,
    is_trained,
    read_metrics,
)

_UNFINISHED = "unfinished"
_STATE_FILE = "latest.weights.h5"  # as BackupAndRestore names it


class RefuseDivergence(keras.callbacks.Callback):
    """Ends the training, before the epoch is logged, once the loss is no number any more."""

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Look at the mean loss of the epoch so far."""
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            raise ConfigError(
                N_(
                    "The training diverged: its loss is no number any more. Start a new run with a "
                    "lower learning rate."
                )
            )


class LogEpochs(keras.callbacks.Callback):
    """Adds a row to ``metrics.csv`` after each epoch."""

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Add the row."""
        append_metrics(self.run, {"epoch": epoch, **(logs or {})})


class KeepEpochs(keras.callbacks.Callback):
    """Makes what BackupAndRestore writes appear whole or not at all, so that any kill is survived.

    BackupAndRestore overwrites its files in place and in several steps. Here it writes into
    :attr:`unfinished`, which is then renamed to ``backup/epoch-NNNN``. That one step is what makes
    an epoch count; rows of ``metrics.csv`` beyond it are dropped when the run is resumed, and the
    best weights are taken from it. Stands behind LogEpochs and BackupAndRestore.
    """

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run = run

    @property
    def unfinished(self) -> Path:
        """The folder for BackupAndRestore."""
        return self.run / BACKUP_FOLDER / _UNFINISHED

    @contextlib.contextmanager
    def lay_out(self) -> Iterator[None]:
        """Inside, the run folder holds the last whole epoch and nothing of a later one."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        done = finished_epochs(self.run)
        drop_metrics_after(self.run, done)
        if done:
            self._keep_if_best(done)
            shutil.copytree(
                epoch_folder(self.run, done),
                self.unfinished,
                copy_function=lambda source, to: link_or_copy(Path(source), Path(to)),
            )
        try:
            yield
        finally:
            shutil.rmtree(self.unfinished, ignore_errors=True)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Leave no link to the kept state, which has been restored, to be written into."""
        shutil.rmtree(self.unfinished, ignore_errors=True)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Let the epoch count; drop the one before."""
        done = epoch + 1
        for file in self.unfinished.iterdir():
            flush_to_disk(file)
        self.unfinished.rename(epoch_folder(self.run, done))
        self._keep_if_best(done)
        for folder in (self.run / BACKUP_FOLDER).glob("epoch-*"):
            if folder != epoch_folder(self.run, done):
                shutil.rmtree(folder)
        if is_trained(self.run):
            self.model.stop_training = True

    def _keep_if_best(self, done: int) -> None:
        if best_epoch(read_metrics(self.run)) == done:
            link = self.run / f"{BEST_WEIGHTS}{PART}"
            link.unlink(missing_ok=True)
            link_or_copy(epoch_folder(self.run, done) / _STATE_FILE, link)
            link.replace(self.run / BEST_WEIGHTS)


class SayProgress(keras.callbacks.Callback):
    """Says how far the run is after each batch, and ends it where that was asked for."""

    def __init__(self, writer: ProgressWriter, batches: int, epochs: int) -> None:
        super().__init__()
        self.writer, self.batches, self.epochs = writer, batches, epochs
        self._seconds_an_epoch: float | None = None
        self._epoch = self._batch = 0
        self._epoch_started = self._first_batch_ended = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start counting batches."""
        self._epoch, self._batch, self._epoch_started = epoch, 0, time.monotonic()
        self.writer.say(
            state="running",
            epoch=epoch,
            batch=0,
            batches=self.batches,
            message=N_("Fine-tuning, batch."),
        )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Say the batch and the time left; stop where asked to."""
        self._batch = batch + 1
        if batch == 0:
            self._first_batch_ended = time.monotonic()
        self.writer.say(batch=self._batch, seconds_left=self._seconds_left(), at_once=False)
        self.writer.heed_stop()

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop between batches of the validation too."""
        self.writer.heed_stop()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Say that the epoch is kept."""
        now, rest = time.monotonic(), self.batches - 1
        without_first = (now - self._first_batch_ended) * self.batches / max(1, rest)
        self._seconds_an_epoch = without_first if rest else now - self._epoch_started
        self._epoch, self._batch, self._epoch_started = epoch + 1, 0, time.monotonic()
        self.writer.say(epoch=epoch + 1, batch=self.batches, seconds_left=self._seconds_left())
        self.writer.heed_stop()

    def _seconds_left(self) -> float | None:
        """By the last epoch where there is one, else by its batches; the first one is slow."""
        now = time.monotonic()
        if self._seconds_an_epoch is not None:
            left = (self.epochs - self._epoch) * self._seconds_an_epoch
            return round(max(0.0, left - (now - self._epoch_started)), 1)
        if self._batch < 2:
            return None
        a_batch = (now - self._first_batch_ended) / (self._batch - 1)
        return round(a_batch * ((self.epochs - self._epoch) * self.batches - self._batch), 1)
