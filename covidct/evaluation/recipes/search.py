"""Patient-grouped cross-validation of recipes for the head, and the model that the first one gives.

The backbone stays as it was pretrained, so its features need to be taken once, whatever the folds;
the head is solved on each fold anew (:mod:`covidct.training.probe`). The first recipe is the one
that is kept, solved on all slices and calibrated on its out-of-fold logits; each of the others
changes one thing about it, and the table says whether that would have helped.
"""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from covidct.data.index import HALVES, Item, read_index
from covidct.data.prepared import PreparedSlices, prepare, read_anew
from covidct.data.reencode import REENCODED
from covidct.data.splits import folds_by_patient
from covidct.errors import ConfigError
from covidct.evaluation.audit.robustness import TRIED_OUT_OF_FOLD, label_flips
from covidct.evaluation.evaluate import ClassifiedSlice, write_evaluation
from covidct.evaluation.metrics import Verdicts, decided, summarise
from covidct.files import NAMES, replace_text
from covidct.imaging.readers import read_slice
from covidct.inference.calibration import Calibration, fit_calibration
from covidct.inference.card import ModelCard
from covidct.inference.classifier import Prediction
from covidct.models.backbones import Part, Trunk, get_backbone, get_preprocess_input
from covidct.models.head import Head
from covidct.models.pooling import Origin, TrunkMaps
from covidct.runtime.graph import Graph
from covidct.spreadsheets import harmless
from covidct.training.config import TrainConfig
from covidct.training.keep import keep_model
from covidct.training.probe import (
    LABEL_SMOOTHING,
    PartFeatures,
    PooledViews,
    parts_of,
    pooled_features,
    pooled_views,
    solve,
)
from covidct.training.trunks import pretrained_graph, pretrained_network

FOLDS = 5
TABLE_FILE, OUT_OF_FOLD_FILE = "cross_validation.json", "out_of_fold.csv"
EVALUATION_FOLDER, OUT_OF_FOLD = "evaluation", "out-of-fold"
_NOTABLE = 0.003  # of AUC; less is noise between seeds
_FINE_TUNING = (
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "dropout",
    "label_smoothing",
    "trainable_share",
    "early_stopping",
    "official_lists",
    "validation_share",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a head is solved.

    Attributes:
        name: what is different from the first recipe.
        second_weight: of a slice of the second source in a part, against 1 for one of the first.
        weight: of a part's logit in the sum.
        mirrored: whether a trunk sees the mirror image as well.
        blank_weight: of a slice without its lungs, against 1 for one with them.
        label_smoothing: the share of a slice's weight that counts for the other class.
        regularisation: of each part's logistic regression, against 1 for as strong as is kept.
        views: up to which the views are used, as a slice's end tells; None is all.
        features: which pooled features are used, values by property.
    """

    name: str
    second_weight: Callable[[Part], float] = lambda part: part.second_weight
    weight: Callable[[Part], float] = lambda part: part.weight
    mirrored: Callable[[Trunk], bool] = lambda trunk: trunk.gains_by_mirror
    blank_weight: float = 1.0
    label_smoothing: float = LABEL_SMOOTHING
    regularisation: float = 1.0
    views: int | None = None
    features: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def terms(self, parts: Sequence[PartFeatures], sources: int) -> list["_Term"]:
        """The logit's terms, one for each part from which it takes features.

        Recipes of which this is the same are the same for that network and number of sources.
        """
        taken = [
            (one, features)
            for one in parts
            if (features := tuple(i for i, origin in one.origins.items() if self._takes(origin)))
        ]
        largest = max((self.weight(one.part) for one, _ in taken), default=1.0)
        return [
            _Term(
                _Solving(
                    features=features,
                    second_weight=self.second_weight(one.part) if sources > 1 else 0.0,
                    blank_weight=self.blank_weight,
                    label_smoothing=self.label_smoothing,
                    views=self.views,
                    inverse_regularisation=one.part.inverse_regularisation / self.regularisation,
                ),
                weight=self.weight(one.part) / largest,
                mirrored=self.mirrored(one.trunk),
            )
            for one, features in taken
        ]

    def _takes(self, origin: Origin) -> bool:
        return all(getattr(origin, kind) in allowed for kind, allowed in self.features.items())


class _Solving(NamedTuple):
    """How the head of a part is solved: what of :class:`Recipe` comes to bear on it.

    Attributes:
        features: the positions of the pooled features that it takes.
    """

    features: tuple[int, ...]
    second_weight: float
    blank_weight: float
    label_smoothing: float
    views: int | None
    inverse_regularisation: float


class _Term(NamedTuple):
    """What a part's head adds to the logit.

    Attributes:
        solving: how the head is solved.
        weight: of its logit in the sum, against 1 for the part that counts most.
        mirrored: whether it is asked of the mirror image as well.
    """

    solving: _Solving
    weight: float
    mirrored: bool


KEPT = Recipe("as kept")
_NOT_REENCODED = Recipe("no re-encoded copies", views=-len(REENCODED))
_VARIATIONS = (
    Recipe("without SARS-CoV-2-CT", second_weight=lambda _: 0.0),
    Recipe("SARS-CoV-2-CT weighed half as much", second_weight=lambda part: part.second_weight / 2),
    Recipe("SARS-CoV-2-CT for every part", second_weight=lambda _: 0.2),
    Recipe("Astra's trunk alone", features={"trunk": ("Astra",)}),
    Recipe("EfficientNet's trunk alone", features={"trunk": ("Lite",)}),
    Recipe("without Astra's second stage", features={"part": ("stage 3", "early")}),
    Recipe("without Astra's third stage", features={"part": ("stage 2", "early")}),
    Recipe("all parts weighed the same", weight=lambda _: 1.0),
    Recipe("labels not smoothed", label_smoothing=0.0),
    Recipe("labels smoothed twice as much", label_smoothing=2 * LABEL_SMOOTHING),
    Recipe("regularised three times as strongly", regularisation=3.0),
    Recipe("slices without lungs not shown", blank_weight=0.0),
    Recipe("slices without lungs weighed four times", blank_weight=4.0),
    Recipe("each slice shown once, unchanged", views=1),
    _NOT_REENCODED,
    Recipe("pooled over the thorax only", features={"cover": ("thorax",)}),
    Recipe("pooled over the haze only", features={"cover": ("haze",)}),
    Recipe("means only", features={"statistic": ("mean",)}),
    Recipe("mirror image not asked", mirrored=lambda _: False),
    Recipe("mirror image asked of every trunk", mirrored=lambda _: True),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """A source of slices and what the network makes of them.

    Attributes:
        slices: as prepared.
        pooled: their views.
        both_ways: of the slices and of their mirror images.
    """

    slices: PreparedSlices
    pooled: PooledViews
    both_ways: "_BothWays"


class _BothWays(NamedTuple):
    """What the network pools of slices, and of their mirror images, float32 (N, C) each."""

    plain: np.ndarray
    mirrored: np.ndarray


def cross_validate(
    data: str | PathLike,
    second: str | PathLike | None,
    out: str | PathLike,
    config: TrainConfig,
    progress: Callable[[Iterable, str], Iterable] = lambda steps, _: steps,
) -> dict[str, Any]:
    """Measure the recipes and leave the model of the first in a new folder.

    Writes ``cross_validation.json`` (figures of the kept recipe and the table), ``out_of_fold.csv``
    (each slice's fold, logit and probability), ``model.keras``, ``card.json``, and the out-of-fold
    verdicts as an evaluation in ``evaluation/``.

    Args:
        data: a data set folder; its test list, if any, is not touched.
        second: a folder of another source, of which the first half is trained on as well, or None.
        out: folder to make; its name becomes the model's.
        config: backbone, size, views and augmentation; what concerns fine-tuning is not used.
        progress: wraps steps that take long, each with what is being done.

    Returns:
        What ``cross_validation.json`` holds.

    Raises:
        ConfigError: the folder is in use, or no view of a slice is asked for.
        DatasetError: too few patients or slices.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"The folder {out} is in use. Name a new one.")
    if not config.probe_views:
        raise ConfigError(
            "A head cannot be solved without a view of each slice. Ask for one or more."
        )
    index = read_index(data)
    chosen = [tuple(item for item in index.items if item.split != "test")]
    if second:
        chosen.append(read_index(second).subset(HALVES[0]))
    prepared = [_prepare(items, config, progress) for items in chosen]
    first = prepared[0]
    graph = pretrained_graph(
        config, first.pixels, lambda slices: progress(slices, "Converting to integers")
    )
    trunks = TrunkMaps(Graph(graph), get_backbone(config.backbone))
    sources = [_show(trunks, slices, config, progress) for slices in prepared]
    parts, folds = parts_of(trunks), _folds(first.items, config.seed)
    kept = KEPT.terms(parts, len(sources))
    recipes = {KEPT.name: kept}
    for variation in _VARIATIONS:
        terms = variation.terms(parts, len(sources))
        if terms and terms != kept:
            recipes[variation.name] = terms
    solved = _solver(sources)
    logits = {
        name: _out_of_fold(recipes[name], sources[0].both_ways, folds, solved)
        for name in progress(list(recipes), "Cross-validating")
    }
    rows = [_row(name, logits[name], first.labels, folds) for name in recipes]
    calibration = fit_calibration(logits[KEPT.name], first.labels)
    verdicts = _verdicts(first, calibration, logits[KEPT.name])
    emptied = sources[0].pooled.without_lungs
    blank = _out_of_fold(kept, _BothWays(emptied, emptied), folds, solved)
    flips = _label_flips(
        trunks,
        first,
        config,
        {
            name: (
                fit_calibration(logits[name], first.labels),
                logits[name],
                partial(_out_of_fold, recipes[name], folds=folds, solved=solved),
            )
            for name in (KEPT.name, _NOT_REENCODED.name)
        },
        progress,
    )
    figures = {
        "folds": FOLDS,
        "roc_auc_folds": rows[0]["roc_auc_folds"],
        **summarise(verdicts),
        "roc_auc_without_lungs": float(roc_auc_score(first.labels, blank)),
        "abstaining": decided(verdicts, calibration.abstain_band),
        "flips": flips[KEPT.name],
        "flips_without_changed_files": flips[_NOT_REENCODED.name],
        "calibration": asdict(calibration) | {"abstain_band": list(calibration.abstain_band)},
        "recipes": [_judged(row, rows[0]) for row in rows],
    }
    out.mkdir(parents=True, exist_ok=True)
    replace_text(out / TABLE_FILE, json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    _write_out_of_fold(out / OUT_OF_FOLD_FILE, first.items, folds, logits[KEPT.name], calibration)
    head = _head(kept, range(len(folds)), solved)
    card = _keep(out, graph, head, config, calibration, figures, sources, progress)
    write_evaluation(
        out / EVALUATION_FOLDER,
        [
            ClassifiedSlice(item, ct_slice.source, ct_slice.shape, Prediction.of(card, logit))
            for item, logit in zip(first.items, logits[KEPT.name], strict=True)
            for ct_slice in [read_slice(item.path)]
        ],
        first.skipped,
        index.name,
        OUT_OF_FOLD,
    )
    return figures


def _prepare(items: Sequence[Item], config: TrainConfig, progress: Callable) -> PreparedSlices:
    prepared = prepare(items, config.input_size, lambda some: progress(some, "Reading slices"))
    return replace(prepared.of(items), skipped=prepared.skipped)


def _show(
    trunks: TrunkMaps, slices: PreparedSlices, config: TrainConfig, progress: Callable
) -> _Shown:
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    pooled = pooled_views(
        trunks,
        slices,
        preprocess_input,
        config.augmentation,
        lambda steps: progress(steps, "Looking at slices"),
        views=config.probe_views,
        seed=config.seed,
    )
    mirror = pooled_features(trunks, _mirrored(slices), preprocess_input)
    return _Shown(slices, pooled, _BothWays(pooled.views[0], mirror))


def _mirrored(slices: PreparedSlices) -> PreparedSlices:
    return replace(slices, pixels=slices.pixels[:, :, ::-1])


def _folds(items: Sequence[Item], seed: int) -> np.ndarray:
    """The fold in which each slice is held out, int (N,)."""
    position = {item.path: i for i, item in enumerate(items)}
    folds = np.empty(len(items), int)
    for fold, (_, held_out) in enumerate(folds_by_patient(tuple(items), FOLDS, seed)):
        folds[[position[item.path] for item in held_out]] = fold
    return folds


def _solver(sources: Sequence[_Shown]) -> Callable[[_Solving, tuple[int, ...]], Head]:
    """Solves heads on some of the first source's slices and all of the second's, each only once."""

    @cache
    def solved(how: _Solving, training: tuple[int, ...]) -> Head:
        chosen = [training, *(range(len(other.pooled.labels)) for other in sources[1:])]
        weights = (1.0, how.second_weight)
        shown = [
            (other.pooled.of(np.array(some), np.array(how.features), slice(how.views)), weight)
            for other, some, weight in zip(sources, chosen, weights, strict=False)
            if weight
        ]
        return solve(
            shown,
            balanced=True,
            inverse_regularisation=how.inverse_regularisation,
            blank_weight=how.blank_weight,
            label_smoothing=how.label_smoothing,
        )

    return solved


def _head(terms: Sequence[_Term], training: Iterable[int], solved: Callable) -> Head:
    """The head of the pooled features that are taken, in the order of the parts."""
    training = tuple(training)
    return Head.sum_of(
        [solved(term.solving, training) for term in terms], [term.weight for term in terms]
    )


def _out_of_fold(
    terms: Sequence[_Term], shown: _BothWays, folds: np.ndarray, solved: Callable
) -> np.ndarray:
    """The logit of each of the first source's slices by a head that saw none of its patient."""
    taken = np.concatenate([term.solving.features for term in terms])
    mirrored = np.repeat(
        [term.mirrored for term in terms], [len(term.solving.features) for term in terms]
    )
    logits = np.empty(len(folds))
    for fold in range(FOLDS):
        held_out = folds == fold
        head = _head(terms, np.flatnonzero(~held_out), solved)
        one_way = shown.plain[held_out][:, taken]
        other_way = np.where(mirrored, shown.mirrored[held_out][:, taken], one_way)
        logits[held_out] = (head.logits(one_way) + head.logits(other_way)) / 2
    return logits


def _label_flips(
    trunks: TrunkMaps,
    slices: PreparedSlices,
    config: TrainConfig,
    recipes: Mapping[str, tuple[Calibration, np.ndarray, Callable[[_BothWays], np.ndarray]]],
    progress: Callable,
) -> dict[str, list[dict[str, Any]]]:
    """Out-of-fold label flips under label-preserving changes.

    Args:
        trunks: of the network.
        slices: of the first source.
        config: as for :func:`cross_validate`.
        recipes: by their names, how each reads its logits, its logits of the slices as they are,
            and what gives those of changed slices.
        progress: as for :func:`cross_validate`.

    Returns:
        Rows of :func:`covidct.evaluation.audit.robustness.label_flips` by the recipe's name.
    """
    preprocess_input = get_preprocess_input(config.backbone, config.pixel_scaling)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in recipes}
    for change in progress(TRIED_OUT_OF_FOLD, "Looking at changed slices"):
        changed = read_anew(slices, change.to_file)
        shown = _BothWays(
            *(
                pooled_features(trunks, some, preprocess_input)
                for some in (changed, _mirrored(changed))
            )
        )
        refused = {skip.path for skip in changed.skipped}
        for name, (calibration, logits, logits_of) in recipes.items():
            before, after = map(calibration.probability, (logits, logits_of(shown)))
            told = [
                None if item.path in refused else probability
                for item, probability in zip(slices.items, after.tolist(), strict=True)
            ]
            rows[name].append(label_flips(change, calibration, before, told, slices.patients))
    return rows


def _row(name: str, logits: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> dict:
    aucs = [roc_auc_score(labels[folds == f], logits[folds == f]) for f in range(FOLDS)]
    calibration = fit_calibration(logits, labels)
    called = calibration.probability(logits) >= calibration.operating_point
    return {
        "recipe": name,
        "roc_auc": float(np.mean(aucs)),
        "roc_auc_folds": [float(auc) for auc in aucs],
        "accuracy": float(np.mean(called == (labels == 1))),
    }


def _judged(row: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """The row with a word on whether its recipe does better than the kept one, fold by fold."""
    gains = np.subtract(row["roc_auc_folds"], kept["roc_auc_folds"])
    better = int(np.sum(gains > 0))
    word = "kept" if row is kept else "yes" if gains.mean() > _NOTABLE else "no"
    note = "" if row is kept else f"{gains.mean():+.3f}, better in {better} of {FOLDS} folds"
    return row | {"helped": word, "note": note}


def _verdicts(slices: PreparedSlices, calibration: Calibration, logits: np.ndarray) -> Verdicts:
    probabilities = calibration.probability(logits)
    return Verdicts(
        labels=slices.labels == 1,
        probabilities=probabilities,
        positive=probabilities >= calibration.operating_point,
        patients=slices.patients,
    )


def _write_out_of_fold(
    path: Path, items: Sequence[Item], folds: np.ndarray, logits: np.ndarray, how: Calibration
) -> None:
    with path.open("w", newline="", **NAMES) as file:
        rows = csv.writer(file)
        rows.writerow(["file", "class", "patient", "fold", "logit", "probability"])
        rows.writerows(
            (
                harmless(i.path.name),
                i.class_name,
                i.patient,
                fold,
                f"{logit:.6f}",
                f"{probability:.6f}",
            )
            for i, fold, logit, probability in zip(
                items, folds, logits, how.probability(logits), strict=True
            )
        )


def _keep(
    out: Path,
    graph: bytes,
    head: Head,
    config: TrainConfig,
    calibration: Calibration,
    figures: Mapping[str, Any],
    sources: Sequence[_Shown],
    progress: Callable,
) -> ModelCard:
    from covidct.models.network import put_head

    network = pretrained_network(config, mirrored=True)
    put_head(network, head)
    names = ("training", "training, SARS-CoV-2-CT")
    counts = {
        name: {
            "COVID": int(shown.slices.labels.sum()),
            "NonCOVID": int((1 - shown.slices.labels).sum()),
            "patients": len(np.unique(shown.slices.patients)),
        }
        for name, shown in zip(names, sources, strict=False)
    }
    rest = {name: figures[name] for name in figures if name not in ("recipes", "calibration")}
    about = {
        "slices": counts,
        "recipe": {
            name: value for name, value in config.as_flat_dict().items() if name not in _FINE_TUNING
        },
        "out_of_fold": rest,
        "cross_validation": figures["recipes"],
    }
    card = ModelCard(
        name=out.name,
        sha256="",
        backbone=config.backbone,
        image_size=config.input_size,
        pixel_scaling=config.pixel_scaling,
        calibration=calibration,
        about=about,
        mirrored=True,
        in_integers=True,
    )
    return keep_model(
        out,
        card,
        network,
        graph,
        head.of_raw_features(),
        sources[0].slices,
        lambda slices: progress(slices, "Averaging heat maps"),
    )
