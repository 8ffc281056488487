"""A model's verdicts on a labelled data set, as figures and as a table."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np

from covidct.data.classes import COVID, PROBABILITY_OF
from covidct.data.index import Index, Item, Skipped, read_index
from covidct.data.splits import split_for_training
from covidct.errors import DatasetError, NoUnseenSlices
from covidct.evaluation.classes import class_verdicts, summarise_classes
from covidct.evaluation.metrics import Verdicts, summarise
from covidct.evaluation.results import METRICS_FILE, PREDICTIONS_FILE
from covidct.files import NAMES
from covidct.imaging.dicom.acquisition import UNKNOWN, Acquisition, read_acquisition
from covidct.imaging.file import File, load
from covidct.imaging.readers import read_slice
from covidct.imaging.series import Place
from covidct.inference.cases import Case
from covidct.inference.classifier import Classifier, Prediction
from covidct.inference.judge import Judged, SliceJudge, admit_all, judge_slices
from covidct.inference.learnt import LearntSlices
from covidct.messages import N_
from covidct.spreadsheets import write_table
from covidct.training.run_folder import corrections_of, read_run_folder


@dataclass(frozen=True, slots=True)
class ClassifiedSlice:
    """One slice of a data set and what the model said of it.

    Attributes:
        item: where it is and what it is labelled.
        source: the format, such as "PNG".
        shape: rows and columns.
        prediction: the verdict.
        opacity_share: the part of the lungs that opacities take, as found, or None.
        acquisition: what is known of patient and scanner.
        learnt: whether the model learnt from it, or from nearly the same picture.
    """

    item: Item
    source: str
    shape: tuple[int, int]
    prediction: Prediction
    opacity_share: float | None = None
    acquisition: Acquisition = UNKNOWN
    learnt: bool = False


def evaluate(
    classifier: Classifier,
    data: str | PathLike,
    split: str,
    out: str | PathLike,
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
    by: SliceJudge = judge_slices,
) -> dict:
    """Classify a split and write ``metrics.json`` and ``predictions.csv``.

    No figure counts a slice that the model learnt from.

    Args:
        classifier: the model.
        data: a data set folder.
        split: as :meth:`covidct.data.index.Index.subset` names it.
        out: folder for the two files, made if needed.
        progress: wraps the iteration, to show how far it is.
        by: judges the slices.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        NoUnseenSlices: a class has none that the model did not learn from.
        DatasetError: no such data set or split, or a class without a readable slice.
    """
    index = read_index(data)
    return _evaluate_items(classifier, index, index.subset(split), split, Path(out), progress, by)


def evaluate_validation(
    run: str | PathLike, progress: Callable[[Iterable[Item]], Iterable[Item]] = iter
) -> dict:
    """Evaluate a finished run on its validation slices and enter the figures in its card.

    Raises:
        ModelError: the run has left no model.
        NoUnseenSlices: nearly all validation slices show what it was trained on.
    """
    run = Path(run)
    index, items = _validation(run)
    classifier = Classifier.open(run)
    figures = _evaluate_items(classifier, index, items, "val", run / "validation", progress)
    card = classifier.card
    replace(card, about=card.about | {"validation": figures}).write(run)
    return figures


def validation_items(run: Path) -> tuple[Item, ...]:
    """The slices that a run is validated on.

    Raises:
        ConfigError: there is no run in the folder.
        DatasetError: its data set is gone.
    """
    return _validation(run)[1]


def _validation(run: Path) -> tuple[Index, tuple[Item, ...]]:
    """The data set of a run as it began with it, and the slices that it is validated on."""
    data, config, exclude, _ = read_run_folder(run)
    index = read_index(data, exclude, corrections_of(run), official_lists=config.official_lists)
    split = split_for_training(index, config.validation_share, config.seed, config.fold_of_folds)
    return index, split[1]


def _evaluate_items(
    classifier: Classifier,
    index: Index,
    items: Sequence[Item],
    split: str,
    out: Path,
    progress: Callable[[Iterable[Item]], Iterable[Item]],
    by: SliceJudge = judge_slices,
) -> dict:
    slices, skipped = classify_items(classifier, items, progress, by)
    known = bool(classifier.card.learnt_from)
    return write_evaluation(
        out, slices, skipped, index.name, split, index.corrections, learnt_is_known=known
    )


def write_evaluation(
    out: Path,
    slices: Sequence[ClassifiedSlice],
    skipped: Sequence[Skipped],
    data: str,
    split: str,
    corrections: Mapping[str, int] | None = None,
    *,
    learnt_is_known: bool = True,
) -> dict:
    """Write ``metrics.json``, which is returned, and ``predictions.csv``.

    The figures leave out the slices that the model learnt from; "learnt" says how many they are, or
    None where that is not known.

    Args:
        out: folder for the two files, made if needed.
        slices: with their verdicts.
        skipped: files that could not be read.
        data: what the data set is called.
        split: of it.
        corrections: how many of labels were applied, as
            :func:`covidct.data.corrections.count` counts them.
        learnt_is_known: whether the model's card tells what it learnt from.

    Raises:
        NoUnseenSlices: a class has none that the model did not learn from.
        DatasetError: a class has no slices.
    """
    unseen = [one for one in slices if not one.learnt]
    learnt = len(slices) - len(unseen)
    if learnt and lacks_a_class(unseen):
        raise NoUnseenSlices(
            N_(
                "The model learnt from {learnt:,} of these {readable:,} slices, or from nearly the "
                "same pictures, and the rest lacks a class: it cannot be judged on them. Choose "
                "slices that it has not seen.",
                learnt=learnt,
                readable=len(slices),
            )
        )
    figures = {
        "model_id": slices[0].prediction.model_id,
        "data": data,
        "split": split,
        "operating_point": slices[0].prediction.operating_point,
        "learnt": learnt if learnt_is_known else None,
        **figures_of(unseen),
        "skipped": [{"file": s.path.name, "reason": s.reason} for s in skipped],
        "corrections": corrections or {},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / METRICS_FILE).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    _write_predictions(out / PREDICTIONS_FILE, slices)
    return figures


def figures_of(slices: Sequence[ClassifiedSlice]) -> dict:
    """What :func:`.summarise` gives, and under "classes" what :func:`.summarise_classes` gives
    where the model tells several apart.

    Raises:
        DatasetError: a class has no slices.
    """
    figures = summarise(verdicts_of(slices))
    told = class_verdicts(
        [one.item.class_name for one in slices],
        [one.prediction.classes for one in slices],
        [one.prediction.is_positive for one in slices],
        [one.item.patient for one in slices],
    )
    return figures | {"classes": summarise_classes(told)} if told else figures


def lacks_a_class(slices: Iterable[ClassifiedSlice]) -> bool:
    """Whether there is a class without a slice."""
    return len({one.item.label for one in slices}) < 2


def verdicts_of(slices: Sequence[ClassifiedSlice]) -> Verdicts:
    """Labels and predictions side by side.

    Raises:
        DatasetError: a class has no slices.
    """
    if lacks_a_class(slices):
        raise DatasetError(N_("Figures need readable slices of both classes."))
    return Verdicts(
        labels=np.array([one.item.label == 1 for one in slices], bool),
        probabilities=np.array([one.prediction.probability for one in slices]),
        positive=np.array([one.prediction.is_positive for one in slices], bool),
        patients=np.array([one.item.patient for one in slices]),
    )


def classify_items(
    classifier: Classifier,
    items: Sequence[Item],
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
    by: SliceJudge = judge_slices,
) -> tuple[list[ClassifiedSlice], list[Skipped]]:
    """The items that could be read with a prediction for each, and the files that could not.

    No gate is asked: a labelled data set is judged as it is.
    """
    learnt = LearntSlices(classifier.card)
    classified, skipped = [], []
    with closing(by(classifier, map(_case, items), admit_all)) as outcomes:
        for item, outcome in zip(progress(items), outcomes, strict=True):
            if isinstance(outcome, Judged):
                classified.append(
                    ClassifiedSlice(
                        item,
                        outcome.source,
                        outcome.shape,
                        outcome.prediction,
                        outcome.opacities.share_of_lung,
                        acquisition_of(item, outcome.source),
                        _is_among(learnt, item, outcome),
                    )
                )
            else:
                skipped.append(Skipped(item.path, outcome.reason))
    return classified, skipped


def _is_among(learnt: LearntSlices, item: Item, outcome: Judged) -> bool:
    """Whether the model learnt from it; one that came back without a fingerprint is read again."""
    if not learnt.are_known:
        return False
    if outcome.fingerprint:
        return learnt.has(outcome.fingerprint)
    return (outcome.seen[0] if outcome.seen else read_slice(item.path)) in learnt


def _case(item: Item) -> Case:
    path = item.path.absolute()
    file = File(str(path), partial(load, path))
    return Case(Place(item.path.name), partial(read_slice, path), file=file)


def acquisition_of(item: Item, source: str) -> Acquisition:
    """What the file of a slice that was read as such a format says of patient and scanner."""
    return read_acquisition(load(item.path)) if source == "DICOM" else UNKNOWN


def _write_predictions(path: Path, slices: Iterable[ClassifiedSlice]) -> None:
    rows = [_as_row(one) for one in slices]
    with path.open("w", newline="", **NAMES) as file:
        write_table(file, list(rows[0]), [list(row.values()) for row in rows])


def _as_row(one: ClassifiedSlice) -> dict[str, str | float | None]:
    height, width = one.shape
    acquisition = one.acquisition
    return {
        "file": one.item.path.name,
        "class": one.item.class_name,
        "patient": one.item.patient,
        "probability": round(one.prediction.probability, 6),
        "label": one.prediction.label,
        "source": one.source,
        "height": height,
        "width": width,
        "decision": one.prediction.decision,
        "opacity_share": None if one.opacity_share is None else round(one.opacity_share, 4),
        "age": acquisition.age,
        "sex": acquisition.sex,
        "scanner": acquisition.scanner,
        "slice_thickness_mm": acquisition.thickness_mm,
        "path": one.item.name,
        "learnt": int(one.learnt),
        **{
            f"{PROBABILITY_OF}{name}": round(probability, 6)
            for name, probability in one.prediction.classes.items()
            if name != COVID
        },
    }
