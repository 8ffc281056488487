"""Training until the reference project's AUC, against the reference's own recipe."""

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from PIL import Image
from sklearn.metrics import roc_auc_score

from covidct.benchmark.settings import Settings
from covidct.benchmark.vgg16 import imagenet_weights
from covidct.data.index import Item, read_index
from covidct.data.splits import split_for_training
from covidct.errors import ConfigError
from covidct.training.config import TrainConfig
from covidct.training.fit import fit
from covidct.training.run_folder import METRICS_FILE

REFERENCE_AUC, REFERENCE_EPOCHS = 0.862, 20


def measure_reference(
    settings: Settings,
    config: TrainConfig | None = None,
    weights: Callable[[], Sequence[np.ndarray]] = imagenet_weights,
) -> dict[str, object]:
    """How many times sooner ``train`` has a model of the reference's AUC than its recipe ends.

    Ours is the whole of ``train``, from reading the slices to the kept model.

    Args:
        settings: the data set and the amounts.
        config: of ours; None for the defaults.
        weights: gives those of the reference's frozen base.

    Returns:
        Seconds and best validation AUC of both, as :func:`train_reference` has them.
        ``train_vs_reference`` compares with the recipe without reuse of features,
        ``train_vs_reference_at_least`` with what was measured. Both are None where our AUC stays
        below the one that the reference reports, or where the recipe was not trained.
    """
    assert settings.data is not None  # else it is not measured
    config = config or TrainConfig()
    started = time.perf_counter()
    auc = _train(settings.data, config)
    ours = time.perf_counter() - started
    reference = train_reference(settings, config, weights)
    comparable = auc >= REFERENCE_AUC and reference["reference_s"] is not None
    without_reuse = reference["reference_s_without_reuse_extrapolated"]
    return {
        "train_vs_reference": without_reuse / ours if comparable else None,
        "train_vs_reference_at_least": reference["reference_s"] / ours if comparable else None,
        "train_s": ours,
        "train_auc": auc,
        "reference_auc": REFERENCE_AUC,
        **reference,
    }


def train_reference(
    settings: Settings,
    config: TrainConfig,
    weights: Callable[[], Sequence[np.ndarray]] = imagenet_weights,
) -> dict[str, Any]:
    """The reference's recipe: a head on a frozen VGG16, for the 20 epochs that it reports.

    The base gives the features of a few augmentations of the training slices, which the epochs use
    in turn. What computing them anew in each epoch would have taken is extrapolated.

    Args:
        settings: the data set and the amounts.
        config: how the data set is split.
        weights: gives those of the base.

    Returns:
        ``reference_auc_here``, the best validation AUC of an epoch, ``reference_s``, measured, and
        ``reference_s_without_reuse_extrapolated``; None where the weights cannot be had.
        ``reference_note`` says what was done, or why not.
    """
    try:
        imagenet = weights()
    except ConfigError as error:
        auc = measured = without_reuse = None
        note = str(error)
    else:
        assert settings.data is not None  # else it is not measured
        index = read_index(settings.data)
        parts = split_for_training(index, config.validation_share, config.seed)
        auc, measured, without_reuse = _train_head(*parts, imagenet, settings)
        note = (
            f"VGG16 with ImageNet weights, its base frozen, {REFERENCE_EPOCHS} epochs. Of "
            f"{settings.reference_draws} augmentations of the training slices the features were "
            "kept and used in turn; without reuse each epoch computes them anew."
        )
    return {
        "reference_auc_here": auc,
        "reference_s": measured,
        "reference_s_without_reuse_extrapolated": without_reuse,
        "reference_note": note,
    }


def _train(data: Path, config: TrainConfig) -> float:
    """The best validation AUC of a run."""
    with TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        fit(data, run, config)
        with (run / METRICS_FILE).open(newline="") as rows:
            return max(float(row["val_auc"]) for row in csv.DictReader(rows))


def _train_head(
    training: Sequence[Item],
    validation: Sequence[Item],
    weights: Sequence[np.ndarray],
    settings: Settings,
) -> tuple[float, float, float]:
    """The best validation AUC, the seconds, and those without reuse."""
    keras.utils.set_random_seed(0)
    started = time.perf_counter()
    base, head = _reference_networks(settings.reference_side)
    base.set_weights(weights)
    generator = tf.keras.preprocessing.image.ImageDataGenerator
    plain = generator(rescale=1 / 255)
    augmented = generator(rescale=1 / 255, rotation_range=15, zoom_range=0.1, horizontal_flip=True)
    labels, validation_labels = (
        np.array([item.label for item in items], np.float32) for items in (training, validation)
    )
    validation_features, validation_s = _features(base, validation, plain, settings)
    draws, draws_s, aucs = [], 0.0, []
    for epoch in range(REFERENCE_EPOCHS):
        if epoch < settings.reference_draws:
            features, taken = _features(base, training, augmented, settings)
            draws.append(features)
            draws_s += taken
        features = draws[epoch % len(draws)]
        head.fit(features, labels, settings.reference_batch, verbose=0)
        scores = head.predict(validation_features, verbose=0)[:, 0]
        aucs.append(float(roc_auc_score(validation_labels, scores)))
    measured = time.perf_counter() - started
    without_reuse = (
        measured
        + draws_s * (REFERENCE_EPOCHS / len(draws) - 1)
        + validation_s * (REFERENCE_EPOCHS - 1)
    )
    return max(aucs), measured, without_reuse


def _reference_networks(side: int) -> tuple[keras.Model, keras.Model]:
    """The base, and the head that is trained on its maps."""
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(side, side, 3))
    head = keras.Sequential(
        [
            keras.Input(base.output.shape[1:]),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    head.compile("adam", "binary_crossentropy")
    return base, head


def _features(
    base: keras.Model,
    items: Sequence[Item],
    generator: tf.keras.preprocessing.image.ImageDataGenerator,
    settings: Settings,
) -> tuple[np.ndarray, float]:
    """The base's maps of all slices, read and augmented anew, and the seconds that took."""
    started = time.perf_counter()
    size, maps = settings.reference_batch, []
    for first in range(0, len(items), size):
        chosen = items[first : first + size]
        images = np.stack([_read(item.path, settings.reference_side) for item in chosen])
        batches = generator.flow(images, batch_size=size, shuffle=False)
        maps.append(base.predict_on_batch(next(batches)))
    return np.concatenate(maps), time.perf_counter() - started


def _read(path: Path, side: int) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((side, side)), np.float32)
