"""Patient-grouped cross-validation of recipes for the head, and the model that the first one gives.

The backbone stays as it was pretrained, so its features need to be taken once, whatever the folds;
the head is solved on each fold anew (:mod:`covidct.training.probe`). The first recipe is the one
that is kept, solved on all slices and calibrated on its out-of-fold logits; each of the others
changes one thing about it, and the table says whether that would have helped.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from covidct.data.index import Item
from covidct.data.prepared import PreparedSlices, prepare
from covidct.data.sources import Source
from covidct.errors import ConfigError
from covidct.evaluation.evaluate import ClassifiedSlice, acquisition_of, write_evaluation
from covidct.evaluation.metrics import Verdicts, decided, summarise
from covidct.evaluation.recipes.cross_validation import gain_in_words
from covidct.evaluation.recipes.flips import label_flips_out_of_fold
from covidct.evaluation.recipes.folds import (
    FOLDS,
    BothWays,
    all_of,
    folds_of,
    head_of_terms,
    logits_of,
    out_of_fold_logits,
    show,
    solver,
)
from covidct.evaluation.recipes.looks import Looker, look_here
from covidct.evaluation.recipes.recipe import KEPT, NOT_REENCODED, VARIATIONS, Term
from covidct.files import NAMES, replace_text
from covidct.imaging.readers import read_slice
from covidct.inference.calibration import Calibration, fit_calibration
from covidct.inference.card import ModelCard
from covidct.inference.classifier import Prediction
from covidct.inference.learnt import hashes_of
from covidct.inference.opacities import findings_of
from covidct.messages import N_
from covidct.models.backbones import get_backbone
from covidct.models.head import Head
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph
from covidct.spreadsheets import write_table
from covidct.training.config import TrainConfig
from covidct.training.keep import keep_model
from covidct.training.probe import parts_of
from covidct.training.trunks import pretrained_graph, pretrained_network

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
    "fold",
)


def cross_validate(
    given: Sequence[Source],
    out: str | PathLike,
    config: TrainConfig,
    progress: Callable[[Iterable, str], Iterable] = lambda steps, _: steps,
    by: Looker = look_here,
) -> dict[str, Any]:
    """Measure the recipes and leave the model of the first in a new folder.

    Slices of the first source are judged by heads that saw none of their patient (out of fold),
    those of every other source by heads that saw none of that source (out of source).
    Probabilities, operating point and abstain band are fitted on both, the first source counting as
    much as all others together, so that they promise no more elsewhere.

    Writes ``cross_validation.json`` (figures of the kept recipe and the table), ``out_of_fold.csv``
    (each slice's fold, logit and probability), ``model.keras``, ``card.json``, and the out-of-fold
    verdicts as an evaluation in ``evaluation/``.

    Args:
        given: the sources; the first has both classes.
        out: folder to make; its name becomes the model's.
        config: backbone, size, views and augmentation; what concerns fine-tuning is not used.
        progress: wraps steps that take long, each with what is being done.
        by: takes the features of the slices.

    Returns:
        What ``cross_validation.json`` holds.

    Raises:
        ConfigError: the folder is in use, no view of a slice is asked for, or the first source has
            one class only.
        DatasetError: too few patients or slices.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise ConfigError(N_("The folder {out} is in use. Name a new one.", out=out))
    if not config.probe_views:
        raise ConfigError(
            N_("A head cannot be solved without a view of each slice. Ask for one or more.")
        )
    if not given[0].has_both_classes:
        raise ConfigError(
            N_("{name} holds one class only. Name a source with both first.", name=given[0].name)
        )
    prepared = [
        prepare(progress(source.items, f"Reading {source.name}"), config.input_size)
        for source in given
    ]
    first = prepared[0]
    graph = pretrained_graph(
        config, first.pixels, lambda slices: progress(slices, "Converting to integers")
    )
    trunks = TrunkMaps(Graph(graph), get_backbone(config.backbone))
    sources = [
        show(trunks, slices, source.weight, config, by, progress)
        for source, slices in zip(given, prepared, strict=True)
    ]
    parts, folds = parts_of(trunks), folds_of(first.items, config.seed)
    kept = KEPT.terms(parts, len(sources))
    recipes = {KEPT.name: kept}
    for variation in VARIATIONS:
        terms = variation.terms(parts, len(sources))
        if terms and terms != kept:
            recipes[variation.name] = terms
    solved, everything = solver(sources), all_of(sources)
    out_of_fold = partial(out_of_fold_logits, folds=folds, everything=everything, solved=solved)

    def of_recipe(terms: Sequence[Term]) -> np.ndarray:
        return out_of_fold(terms, sources[0].both_ways)

    def out_of(number: int) -> np.ndarray:
        head = head_of_terms(kept, all_of(sources, number), solved)
        return logits_of(head, kept, sources[number].both_ways)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(progress(pool.map(of_recipe, recipes.values()), "Cross-validating"))
        others = range(1, len(sources))
        elsewhere = list(progress(pool.map(out_of, others), "Leaving sources out"))
    logits = dict(zip(recipes, found, strict=True))
    # The first source counts as much as all others together
    times = max(1, round(sum(map(len, elsewhere)) / len(first.items)))
    calibration = fit_calibration(
        np.concatenate([*times * [logits[KEPT.name]], *elsewhere]),
        np.concatenate([*times * [first.labels], *(one.labels for one in prepared[1:])]),
    )
    rows = [_row(name, logits[name], first.labels, folds) for name in recipes]
    verdicts = _verdicts(first, calibration, logits[KEPT.name])
    emptied = sources[0].pooled.without_lungs
    blank = out_of_fold(kept, BothWays(emptied, emptied))
    flips = label_flips_out_of_fold(
        trunks,
        first,
        config,
        {
            name: (
                calibration if name == KEPT.name else fit_calibration(logits[name], first.labels),
                logits[name],
                partial(out_of_fold, recipes[name]),
            )
            for name in (KEPT.name, NOT_REENCODED.name)
        },
        by,
        progress,
    )
    figures = {
        "folds": FOLDS,
        "roc_auc_folds": rows[0]["roc_auc_folds"],
        **summarise(verdicts),
        "roc_auc_without_lungs": float(roc_auc_score(first.labels, blank)),
        "abstaining": decided(verdicts, calibration.abstain_band),
        "out_of_source": out_of_source(given[1:], prepared[1:], elsewhere, calibration),
        "flips": flips[KEPT.name],
        "flips_without_changed_files": flips[NOT_REENCODED.name],
        "calibration": asdict(calibration) | {"abstain_band": list(calibration.abstain_band)},
        "recipes": [_judged(row, rows[0]) for row in rows],
    }
    out.mkdir(parents=True, exist_ok=True)
    replace_text(out / TABLE_FILE, json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    _write_out_of_fold(out / OUT_OF_FOLD_FILE, first.items, folds, logits[KEPT.name], calibration)
    head = head_of_terms(kept, everything, solved)
    counts = {
        source.name: slices.counts | {"weight": source.weight}
        for source, slices in zip(given, prepared, strict=True)
    }
    card = _keep(out, graph, head, config, calibration, figures, counts, prepared, progress)
    write_evaluation(
        out / EVALUATION_FOLDER,
        [
            ClassifiedSlice(
                item,
                ct_slice.source,
                ct_slice.shape,
                Prediction.of(card, logit),
                findings_of(ct_slice).share_of_lung,
                acquisition_of(item, ct_slice.source),
            )
            for item, logit in zip(first.items, logits[KEPT.name], strict=True)
            for ct_slice in [read_slice(item.path)]
        ],
        first.skipped,
        given[0].name,
        OUT_OF_FOLD,
    )
    return figures


def out_of_source(
    given: Sequence[Source],
    prepared: Sequence[PreparedSlices],
    logits: Sequence[np.ndarray],
    calibration: Calibration,
) -> list[dict[str, Any]]:
    """How a model does on each source that it did not learn from.

    Returns:
        A row a source: its name, and the figures
        of :func:`covidct.evaluation.metrics.summarise`, or where it has one class only n, patients
        and the share that is called as it is labelled ("right"). The last row is all sources of one
        class together, where there are some of each.
    """
    rows, alone = [], []
    for source, slices, of_source in zip(given, prepared, logits, strict=True):
        verdicts = _verdicts(slices, calibration, of_source)
        if source.has_both_classes:
            rows.append({"source": source.name} | summarise(verdicts))
        else:
            right = float(np.mean(verdicts.positive == verdicts.labels))
            patients = len(np.unique(verdicts.patients))
            rows.append(
                {
                    "source": source.name,
                    "class": "COVID" if verdicts.labels[0] else "NonCOVID",
                    "n": len(verdicts.labels),
                    "patients": patients,
                    "right": right,
                }
            )
            alone.append((source.name, verdicts))
    together = [
        np.concatenate([getattr(verdicts, name) for _, verdicts in alone])
        for name in ("labels", "probabilities", "positive", "patients")
        if alone
    ]
    if together and len(np.unique(together[0])) == 2:
        names = ", ".join(name for name, _ in alone)
        rows.append({"source": f"{names} together"} | summarise(Verdicts(*together)))
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
    word = N_("kept") if row is kept else "yes" if gains.mean() > _NOTABLE else "no"
    note = "" if row is kept else gain_in_words(float(gains.mean()), better, FOLDS)
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
        rows = (
            (i.path.name, i.class_name, i.patient, fold, *np.round((logit, probability), 6))
            for i, fold, logit, probability in zip(
                items, folds, logits, how.probability(logits), strict=True
            )
        )
        write_table(file, ["file", "class", "patient", "fold", "logit", "probability"], rows)


def _keep(
    out: Path,
    graph: bytes,
    head: Head,
    config: TrainConfig,
    calibration: Calibration,
    figures: Mapping[str, Any],
    counts: Mapping[str, Any],
    prepared: Sequence[PreparedSlices],
    progress: Callable,
) -> ModelCard:
    from covidct.models.network import put_head

    network = pretrained_network(config, mirrored=True)
    put_head(network, head)
    rest = {name: figures[name] for name in figures if name not in ("recipes", "calibration")}
    about = {
        "slices": dict(counts),
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
        learnt_from=hashes_of(chain.from_iterable(one.fingerprints for one in prepared)),
    )
    return keep_model(
        out,
        card,
        network,
        graph,
        head.of_raw_features(),
        prepared[0],
        lambda slices: progress(slices, "Averaging heat maps"),
    )
