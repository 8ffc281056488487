"""Training until the reference project's AUC, against the reference's own recipe."""

import csv
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
from keras import layers
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from PIL import Image

from covidct.data.index import Item, read_index
from covidct.data.splits import split_for_training
from covidct.evaluation.bench.settings import Settings
from covidct.training.config import TrainConfig
from covidct.training.fit import fit
from covidct.training.run_folder import METRICS_FILE

REFERENCE_AUC = 0.862
_REFERENCE_EPOCHS, _REFERENCE_BATCH, _REFERENCE_SIDE = 20, 32, 224
ASSUMPTION = (
    f"VGG16 at {_REFERENCE_SIDE} pixels with a frozen base, batches of {_REFERENCE_BATCH}, needs "
    f"the {_REFERENCE_EPOCHS} epochs that the reference project reports; a few batches are timed, "
    "the rest is extrapolated. Its weights are random, which makes no difference to the time."
)


def measure_reference(settings: Settings, config: TrainConfig | None = None) -> dict[str, object]:
    """How many times sooner ``train`` has a model of the reference's AUC than its recipe has.

    Ours is the whole of ``train``, from reading the slices to the kept model, with one view and one
    epoch; None where its AUC stays below.
    """
    config = config or replace(TrainConfig(), probe_views=1, epochs=1)
    started = time.perf_counter()
    auc = _train(settings.data, config)
    ours = time.perf_counter() - started
    training, validation = split_for_training(
        read_index(settings.data), config.validation_share, config.seed
    )
    batch, validation_batch = _reference_batch_seconds(training, settings.reference_batches)
    epoch = (
        batch * -(-len(training) // _REFERENCE_BATCH)
        + validation_batch * -(-len(validation) // _REFERENCE_BATCH)
    )  # fmt: skip
    reference = _REFERENCE_EPOCHS * epoch
    return {
        "train_vs_reference": reference / ours if auc >= REFERENCE_AUC else None,
        "train_s": ours,
        "train_auc": auc,
        "reference_auc": REFERENCE_AUC,
        "reference_s_extrapolated": reference,
        "reference_epoch_s_extrapolated": epoch,
        "reference_batch_s": batch,
        "reference_assumption": ASSUMPTION,
    }


def _train(data: Path, config: TrainConfig) -> float:
    """The best validation AUC of a run."""
    with TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        fit(data, run, config)
        with (run / METRICS_FILE).open(newline="") as rows:
            return max(float(row["val_auc"]) for row in csv.DictReader(rows))


def _reference_batch_seconds(items: list[Item], batches: int) -> tuple[float, float]:
    """Seconds of a batch of the reference's recipe in training and in validation."""
    trunk = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(_REFERENCE_SIDE, _REFERENCE_SIDE, 3)
    )
    trunk.trainable = False
    x = layers.Dense(256, activation="relu")(layers.Flatten()(trunk.output))
    model = keras.Model(trunk.input, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(x)))
    model.compile("adam", "binary_crossentropy")
    stream = _legacy_batches(items)
    model.train_on_batch(*next(stream))
    started = time.perf_counter()
    for images, labels in islice(stream, batches):
        model.train_on_batch(images, labels)
    training = (time.perf_counter() - started) / batches
    images, labels = next(stream)
    model.test_on_batch(images, labels)
    started = time.perf_counter()
    for _ in range(batches):
        model.test_on_batch(images, labels)
    return training, (time.perf_counter() - started) / batches


def _legacy_batches(items: list[Item]) -> Iterator:
    """Batches as the reference's generator makes them of files, read and augmented each time."""
    generator = ImageDataGenerator(
        rescale=1 / 255, rotation_range=15, zoom_range=0.1, horizontal_flip=True
    )
    rng = np.random.default_rng(0)
    while True:
        chosen = [items[i] for i in rng.integers(len(items), size=_REFERENCE_BATCH)]
        images = np.stack([_read(item.path) for item in chosen])
        labels = np.array([item.label for item in chosen], np.float32)
        yield next(generator.flow(images, labels, batch_size=_REFERENCE_BATCH, shuffle=False))


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        side = (_REFERENCE_SIDE, _REFERENCE_SIDE)
        return np.asarray(image.convert("RGB").resize(side), np.float32)
