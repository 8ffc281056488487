"""A model's verdicts on a labelled data set, as figures and as a table."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from covidct.data.index import Item, Skipped, read_index
from covidct.data.splits import split_for_training
from covidct.errors import DatasetError, UnreadableSlice
from covidct.evaluation.metrics import Verdicts, summarise
from covidct.imaging.readers import read_slice
from covidct.inference.classifier import Classifier, Prediction
from covidct.training.run_folder import read_run_folder

_BATCH = 16


def evaluate(
    classifier: Classifier,
    data: str | PathLike,
    split: str,
    out: str | PathLike,
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> dict:
    """Classify a split and write ``metrics.json`` and ``predictions.csv``.

    Args:
        classifier: the model.
        data: a data set folder.
        split: "train", "val", "test" or "all".
        out: folder for the two files, made if needed.
        progress: wraps the iteration, to show how far it is.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        DatasetError: no such data set or split, or a class without a readable slice.
    """
    items = read_index(data).subset(split)
    return _evaluate_items(classifier, items, split, Path(out), progress)


def evaluate_validation(
    run: str | PathLike, progress: Callable[[Iterable[Item]], Iterable[Item]] = iter
) -> dict:
    """Evaluate a finished run on its validation slices and enter the figures in its card.

    Raises:
        ModelError: the run has left no model.
    """
    run = Path(run)
    items = validation_items(run)
    classifier = Classifier.load(run)
    figures = _evaluate_items(classifier, items, "val", run / "validation", progress)
    card = classifier.card
    replace(card, about=card.about | {"validation": figures}).write(run)
    return figures


def validation_items(run: Path) -> tuple[Item, ...]:
    """The slices that a run is validated on.

    Raises:
        ConfigError: there is no run in the folder.
        DatasetError: its data set is gone.
    """
    data, config, exclude = read_run_folder(run)
    index = read_index(data, exclude, official_lists=config.official_lists)
    return split_for_training(index, config.validation_share, config.seed)[1]


def _evaluate_items(
    classifier: Classifier,
    items: Iterable[Item],
    split: str,
    out: Path,
    progress: Callable[[Iterable[Item]], Iterable[Item]],
) -> dict:
    items, predictions, skipped = classify_items(classifier, progress(items))
    verdicts = verdicts_of(items, predictions)
    figures = {
        "model_id": classifier.card.model_id,
        "split": split,
        "operating_point": classifier.card.calibration.operating_point,
        **summarise(verdicts),
        "skipped": [{"file": s.path.name, "reason": s.reason} for s in skipped],
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(
        json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    _write_predictions(out / "predictions.csv", items, predictions)
    return figures


def verdicts_of(items: Sequence[Item], predictions: Sequence[Prediction]) -> Verdicts:
    """Labels and predictions side by side.

    Raises:
        DatasetError: a class has no slices.
    """
    verdicts = Verdicts(
        labels=np.array([item.label == 1 for item in items], bool),
        probabilities=np.array([prediction.probability for prediction in predictions]),
        positive=np.array([prediction.is_positive for prediction in predictions], bool),
        patients=np.array([item.patient for item in items]),
    )
    if len(set(verdicts.labels)) < 2:
        raise DatasetError("Figures need readable slices of both classes.")
    return verdicts


def classify_items(
    classifier: Classifier, items: Iterable[Item]
) -> tuple[list[Item], list[Prediction], list[Skipped]]:
    """The items that could be read, a prediction for each, and the files that could not."""
    read, predictions, skipped, waiting = [], [], [], []

    def flush() -> None:
        predictions.extend(e.prediction for e in classifier.look_at_many(waiting))
        waiting.clear()

    for item in items:
        try:
            waiting.append(read_slice(item.path))
        except UnreadableSlice as error:
            skipped.append(Skipped(item.path, str(error)))
            continue
        read.append(item)
        if len(waiting) == _BATCH:
            flush()
    flush()
    return read, predictions, skipped


def _write_predictions(path: Path, items: list[Item], predictions: list[Prediction]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "class", "patient", "probability", "label"])
        rows.writerows(
            (i.path.name, i.class_name, i.patient, f"{p.probability:.6f}", p.label)
            for i, p in zip(items, predictions, strict=True)
        )
