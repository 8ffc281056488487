"""Whether heat maps mean anything: each method held against lesions, lungs and the score itself.

On slices whose lesions are known, drawn on a series or planted in synthetic slices, the map of the
class Positive is asked where its peak lies (pointing game: Zhang et al. 2016, arXiv:1608.00507) and
how much of it lies inside the lesions and the lungs; on these and on the slices of a data set, what
the score does when its places are taken away or given
(:mod:`covidct.evaluation.faithfulness.perturbation`); and whether it changes with the network
(:mod:`covidct.evaluation.faithfulness.randomisation`). Two maps that know nothing of the network
stand beside them: one that is even over the thorax, whose figures are those of a random map on
average, and a blob in the middle.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from covidct.data.index import read_index
from covidct.errors import DatasetError, UnreadableSlice
from covidct.evaluation.faithfulness.marked_slices import (
    MarkedSlice,
    planted_lesions,
    read_marked_series,
)
from covidct.evaluation.faithfulness.perturbation import deletion_and_insertion
from covidct.evaluation.faithfulness.randomisation import EVERY, correlations
from covidct.evaluation.results import FAITHFULNESS_FILE
from covidct.files import replace_text
from covidct.imaging.anatomy.gate import check_lung_slice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.readers import read_slice
from covidct.inference.calibration import POSITIVE
from covidct.inference.classifier import Classifier, PredictionWithCAM
from covidct.inference.heatmap import (
    DEFAULT,
    METHODS,
    HeatMap,
    Method,
    coarse_map,
    on_slice_grid,
)
from covidct.messages import N_

SERIES, PLANTED, DATA = "series", "planted", "data"
RANDOM, CENTRE = "random", "centre"

PLANTED_SLICES = 96
_SLOW = ("scorecam", "smoothgrad")  # seconds a slice
_FEWER = 8  # slices of a set for those
_MOST_OF_DATA = 24
_PERTURBED_SLICES = 3  # of a set; each is asked for two dozen times
_RANDOMISED_SLICES = {True: 1, False: 4}  # for slow methods and the others
_TOLERANCE = 0.03  # of the longer side: the 15 pixels of Zhang et al. on pictures of 500
_POINTING_TARGETS = {SERIES: 0.6, PLANTED: 0.8}
_TIMES_RANDOM = 2.0
_UNLIKE = 0.5  # the greatest rank correlation that is taken for a map that has changed
_PEAK = 1 - 1e-5  # of what is relative to the peak, after rounding
_BLOB_WIDTH = 0.15  # standard deviation, of the picture's sides

FIGURES = ("pointing", "energy", "lung_share", "deletion", "insertion")
_Figures = dict[str, float | None]
Progress = Callable[[Iterable], Iterable]


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A slice whose maps are measured: what the network saw, and its lesions where known."""

    predicted: PredictionWithCAM
    lesions: np.ndarray | None = None


def faithfulness(
    classifier: Classifier,
    out: str | PathLike,
    series: str | PathLike | None = None,
    data: str | PathLike | None = None,
    split: str = "all",
    planted: int = PLANTED_SLICES,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Measure every method and write ``faithfulness.json``.

    Args:
        classifier: the model.
        out: folder for the file, made if needed.
        series: folder of a series with drawn lesions
            (:func:`covidct.evaluation.faithfulness.marked_slices.read_marked_series`), or None.
        data: a data set folder, of which at most two dozen slices are taken, or None.
        split: of the data set.
        planted: how many synthetic slices with lesions are drawn, one at least.
        progress: wraps the iteration over methods and slices, to show how far it is.

    Returns:
        What the file holds: model_id; the default method and the one that wins; "methods", their
        titles; "sets", what was measured on; "rows", a method on a set each, figures that are not
        known None; "randomisation"; "targets" with whether they are met.

    Raises:
        DatasetError: the series, its masks or the data set cannot be used.
    """
    sets, asked = {}, {}
    if series is not None:
        sets[SERIES], asked[SERIES] = _of_series(classifier, Path(series))
    sets[PLANTED], asked[PLANTED] = _of_planted(classifier, planted)
    if data is not None:
        sets[DATA], asked[DATA] = _of_data(classifier, data, split)
    work = [(where, name) for where in asked if asked[where] for name in _EXPLAINERS]
    found = {key: _each(classifier, asked[key[0]], key[1]) for key in progress(work)}
    rows = [
        {"set": where, "method": name, **_means(figures)}
        for (where, name), figures in found.items()
    ]
    randomisation = _randomisation(classifier, next(filter(None, asked.values())))
    winner = _winner(found)
    figures = {
        "model_id": classifier.card.model_id,
        "default": DEFAULT,
        "winner": winner,
        "methods": {name: method.title for name, method in _EXPLAINERS.items()},
        "sets": sets,
        "rows": rows,
        "randomisation": randomisation,
        "targets": _targets(rows, randomisation, winner),
    }
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False)
    replace_text(out / FAITHFULNESS_FILE, text + "\n")
    return figures


def _of_series(classifier: Classifier, folder: Path) -> tuple[dict[str, Any], list[_Asked]]:
    """Those of its lesion slices that are called Positive."""
    found = read_marked_series(folder)
    every = _looked_at(classifier, found.marked)
    asked = [one for one in every if one.predicted.prediction.is_positive]
    about = {
        "lesion_slices": len(every),
        "called_positive": len(asked),
        "refused": found.refused,
        "masks_lie": found.orientation,
        "lung_overlap": found.overlap,
    }
    return about, asked


def _of_planted(classifier: Classifier, count: int) -> tuple[dict[str, Any], list[_Asked]]:
    """All of them: where one is called Negative, the class Positive is explained all the same."""
    every = _looked_at(classifier, planted_lesions(count))
    called = sum(one.predicted.prediction.is_positive for one in every)
    about = {"lesion_slices": len(every), "called_positive": called}
    return about, [replace(one, predicted=one.predicted.called(POSITIVE)) for one in every]


def _of_data(
    classifier: Classifier, data: str | PathLike, split: str
) -> tuple[dict[str, Any], list[_Asked]]:
    """Slices from all over the split, each with the class that it is called."""
    index = read_index(data)
    slices: list[CTSlice] = []
    items = index.subset(split)
    for place in np.linspace(0, len(items) - 1, min(_MOST_OF_DATA, len(items))).astype(int):
        try:
            slices.append(check_lung_slice(read_slice(items[place].path)))
        except UnreadableSlice:
            continue
    if not slices:
        raise DatasetError(N_("None of the slices that were tried shows lungs and can be read."))
    asked = [_Asked(predicted) for predicted in classifier.predict_many(slices)]
    called = sum(one.predicted.prediction.is_positive for one in asked)
    about = {"name": index.name, "split": split, "slices": len(asked), "called_positive": called}
    return about, asked


def _looked_at(classifier: Classifier, marked: Sequence[MarkedSlice]) -> list[_Asked]:
    looks = classifier.predict_many([one.ct_slice for one in marked])
    return [_Asked(look, one.lesions) for look, one in zip(looks, marked, strict=True)]


def _each(classifier: Classifier, asked: Sequence[_Asked], name: str) -> list[_Figures]:
    """A method's figures on each slice of a set, the slow ones' on the first eight."""
    some = asked[: _FEWER if name in _SLOW else None]
    return [_one(classifier, one, name, i < _PERTURBED_SLICES) for i, one in enumerate(some)]


def _one(classifier: Classifier, asked: _Asked, name: str, perturbed: bool) -> _Figures:
    coarse = coarse_map(_EXPLAINERS[name], classifier, asked.predicted)
    heat = on_slice_grid(coarse, asked.predicted, name)
    figures: _Figures = {"lung_share": heat.lung_share}
    if asked.lesions is not None:
        figures |= _inside_lesions(heat, asked.lesions)
    if perturbed:
        figures |= deletion_and_insertion(classifier, asked.predicted, coarse)
    return figures


def _means(figures: Sequence[_Figures]) -> dict[str, Any]:
    """Their means over the slices on which each is known, None where that is none."""
    means: dict[str, Any] = {"n": len(figures)}
    for name in FIGURES:
        known = [value for one in figures if (value := one.get(name)) is not None]
        means[name] = float(np.mean(known)) if known else None
    return means


def _randomisation(classifier: Classifier, asked: Sequence[_Asked]) -> list[dict[str, Any]]:
    rows = []
    for slow, slices in _RANDOMISED_SLICES.items():
        methods = {name: m for name, m in _EXPLAINERS.items() if (name in _SLOW) == slow}
        some = [one.predicted for one in asked[:slices]]
        rows += [
            {
                "method": name,
                "randomised": what,
                "n": len(some),
                "correlation": alike if np.isfinite(alike) else None,
            }
            for (name, what), alike in correlations(classifier, some, methods).items()
        ]
    return rows


def _inside_lesions(heat: HeatMap, lesions: np.ndarray) -> dict[str, float]:
    """Part of the map's peaks inside the dilated lesions and of its sum inside the lesions.

    A map has one peak, and is right or wrong; one that is even over the thorax is right as often as
    a random place of it.
    """
    if heat.is_empty:
        return {"pointing": 0.0, "energy": 0.0}
    reach = round(_TOLERANCE * max(lesions.shape))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(lesions.astype(np.uint8), disc).astype(bool)
    energy = float(heat.values[lesions].sum() / heat.values.sum())
    return {"pointing": float(near[heat.values >= _PEAK].mean()), "energy": energy}


def _winner(found: Mapping[tuple[str, str], Sequence[_Figures]]) -> str:
    """The method of the app with the greatest mean of pointing over the sets with lesions.

    Compared on the slices that all methods were measured on; of equals the one that is named first
    in the app.
    """
    pointing: dict[str, list[float]] = {name: [] for name in METHODS}
    for (_, name), figures in found.items():
        hits = [hit for one in figures[:_FEWER] if (hit := one.get("pointing")) is not None]
        if hits and name in pointing:
            pointing[name].append(float(np.mean(hits)))
    return max(pointing, key=lambda name: np.mean(pointing[name]))


def _targets(
    rows: Sequence[Mapping[str, Any]], randomisation: Sequence[Mapping[str, Any]], winner: str
) -> list[dict[str, Any]]:
    """What the default method should reach, and whether it does."""
    by_name = {(row["set"], row["method"]): row["pointing"] for row in rows}
    targets = []
    for where, least in _POINTING_TARGETS.items():
        hit, chance = (by_name.get((where, name)) for name in (DEFAULT, RANDOM))
        targets.append(_at_least(f"pointing, {where}", hit, least))
        ratio = hit / chance if chance else None
        targets.append(_at_least(f"pointing beside random, {where}", ratio, _TIMES_RANDOM))
    (alike,) = (
        row["correlation"]
        for row in randomisation
        if (row["method"], row["randomised"]) == (DEFAULT, EVERY)
    )
    what = f"rank correlation, {EVERY} randomised"
    is_met = None if alike is None else alike <= _UNLIKE
    targets.append({"figure": what, "value": alike, "at_most": _UNLIKE, "met": is_met})
    targets.append({"figure": "method that wins", "value": winner, "met": winner == DEFAULT})
    return targets


def _at_least(figure: str, value: float | None, least: float) -> dict[str, Any]:
    return {
        "figure": figure,
        "value": value,
        "at_least": least,
        "met": None if value is None else value >= least,
    }


def _even(_: Classifier, predicted: PredictionWithCAM) -> np.ndarray:
    return (predicted.crop.pixels[..., 1] > 0).astype(np.float32)


def _blob(classifier: Classifier, predicted: PredictionWithCAM) -> np.ndarray:
    thorax = _even(classifier, predicted)
    rows, columns = (np.linspace(-0.5, 0.5, side) for side in thorax.shape)
    squared = rows[:, None] ** 2 + columns[None, :] ** 2
    return thorax * np.exp(-squared / (2 * _BLOB_WIDTH**2))


BASELINES = {
    RANDOM: Method(
        N_("Random"), N_("Any place of the thorax: what a random map is on average."), _even
    ),
    CENTRE: Method(
        N_("Centre"), N_("A blob in the middle of the picture, the same on each."), _blob
    ),
}
_EXPLAINERS = METHODS | BASELINES
