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
from covidct.evaluation.bench.timing import seconds
from covidct.training.config import TrainConfig
from covidct.training.fit import fit
from covidct.training.run_folder import METRICS_FILE

REFERENCE_AUC, REFERENCE_EPOCHS = 0.862, 20
ASSUMPTION = (
    "VGG16 with a frozen base needs the 20 epochs that the reference project reports; a few batches"
    " are timed, the rest is extrapolated. Its weights are random, which does not change the time."
)


def measure_reference(settings: Settings, config: TrainConfig | None = None) -> dict[str, object]:
    """How many times sooner ``train`` has a model of the reference's AUC than its recipe has.

    Ours is the whole of ``train``, from reading the slices to the kept model, with two views
    beside the files made of each slice and one epoch; None where its AUC stays below.
    """
    config = config or replace(TrainConfig(), probe_views=2, epochs=1)
    started = time.perf_counter()
    auc = _train(settings.data, config)
    ours = time.perf_counter() - started
    training, validation = split_for_training(
        read_index(settings.data), config.validation_share, config.seed
    )
    batch, validation_batch = _reference_batch_seconds(training, settings)
    batches, validation_batches = (
        -(-len(items) // settings.reference_batch) for items in (training, validation)
    )
    epoch = batch * batches + validation_batch * validation_batches
    reference = REFERENCE_EPOCHS * epoch
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


def _reference_batch_seconds(items: list[Item], settings: Settings) -> tuple[float, float]:
    """Seconds of a batch of the reference's recipe in training and in validation."""
    count = settings.reference_batches
    model = _reference_network(settings.reference_side)
    stream = _legacy_batches(items, settings)
    model.train_on_batch(*next(stream))
    training = seconds(lambda: [model.train_on_batch(*batch) for batch in islice(stream, count)])
    images, labels = next(stream)
    model.test_on_batch(images, labels)
    validation = seconds(lambda: [model.test_on_batch(images, labels) for _ in range(count)])
    return training / count, validation / count


def _reference_network(side: int) -> keras.Model:
    trunk = keras.applications.VGG16(include_top=False, weights=None, input_shape=(side, side, 3))
    trunk.trainable = False
    x = layers.Dense(256, activation="relu")(layers.Flatten()(trunk.output))
    model = keras.Model(trunk.input, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(x)))
    model.compile("adam", "binary_crossentropy")
    return model


def _legacy_batches(items: list[Item], settings: Settings) -> Iterator:
    """Batches as the reference's generator makes them of files, read and augmented each time."""
    generator = ImageDataGenerator(
        rescale=1 / 255, rotation_range=15, zoom_range=0.1, horizontal_flip=True
    )
    rng = np.random.default_rng(0)
    size = settings.reference_batch
    while True:
        chosen = [items[i] for i in rng.integers(len(items), size=size)]
        images = np.stack([_read(item.path, settings.reference_side) for item in chosen])
        labels = np.array([item.label for item in chosen], np.float32)
        yield next(generator.flow(images, labels, batch_size=size, shuffle=False))


def _read(path: Path, side: int) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((side, side)), np.float32)
