"""The audit of a model: what class and source can be told from without anatomy, and what the
network does when anatomy is occluded, opacities painted out, or a slice stored otherwise."""

import json
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from covidct.data.index import Item, Skipped, read_index
from covidct.data.masks import read_drawn_slices
from covidct.data.sources import Source
from covidct.errors import DatasetError, UnreadableSlice
from covidct.evaluation.audit.looks import (
    ALL_BUT_LUNGS,
    EVERYTHING,
    NO_OPACITIES,
    ONLY_LUNGS,
    Asked,
    Looker,
    Seen,
    changes_for,
    look_here,
)
from covidct.evaluation.audit.painting import Repainted, painted_rows, repainted_as_drawn
from covidct.evaluation.audit.robustness import Change, label_flips
from covidct.evaluation.audit.shortcuts import BORDER_SHAPE_SIZE, NETWORK, forests
from covidct.evaluation.audit.sources import sources_told_apart
from covidct.evaluation.metrics import judged
from covidct.evaluation.results import AUDIT_FILE
from covidct.imaging.readers import read_slice
from covidct.inference.calibration import Calibration
from covidct.inference.classifier import Classifier
from covidct.inference.learnt import LearntSlices
from covidct.messages import N_
from covidct.stats.bootstrap import measured_auc

_MOST_CHANGED = 1000  # each of them is classified a dozen times
_CHANCE = 0.60  # the greatest AUC that is taken for telling next to nothing
_FOREST_TARGETS: dict[tuple[str, str], float] = {(BORDER_SHAPE_SIZE, NETWORK): _CHANCE}
_ANATOMY_TARGETS = {
    EVERYTHING: None,
    ALL_BUT_LUNGS: _CHANCE,
    ONLY_LUNGS: None,
    NO_OPACITIES: None,
}


def audit(
    classifier: Classifier,
    data: str | PathLike,
    split: str,
    out: str | PathLike,
    progress: Callable[[Iterable], Iterable] = iter,
    *,
    masks: Sequence[Path] = (),
    sources: Sequence[Source] = (),
    looker: Looker = look_here,
) -> dict[str, Any]:
    """Audit a model on a split and write ``audit.json``.

    Slices that the model learnt from are left out, unless the rest lacks a class.

    Args:
        classifier: the model.
        data: a data set folder.
        split: as :meth:`covidct.data.index.Index.subset` names it.
        out: folder for the file, made if needed.
        progress: wraps the iteration, to show how far it is.
        masks: folders of slices with drawn opacities, painted out as drawn;
            :func:`covidct.data.masks.read_drawn_slices` reads them.
        sources: to be told apart; none is not asked for.
        looker: has the slices of the split looked at.

    Returns:
        What ``audit.json`` holds: model_id, split, n, patients, skipped, without_lungs; "learnt",
        from how many of the n the model learnt, or None where that is not known; "forests",
        AUC of random forests; "anatomy", AUC of the network on slices where lungs were found;
        "painted", verdicts turned over by painting opacities out, of the split's and each folder's
        slices, as :func:`covidct.evaluation.audit.painting.painted_rows` tells;
        "flips", labels that changed, as
        :func:`covidct.evaluation.audit.robustness.label_flips` tells; "told_apart", as
        :func:`covidct.evaluation.audit.sources.sources_told_apart` tells, where sources are given.
        Of a split's slices at most 1,000 from all over it are changed or painted.
        Figures that cannot be measured on so few patients are None. Each row says its target, a
        greatest value or None, and whether the figure meets it.

    Raises:
        DatasetError: no such data set or split, or a class without a readable slice.
    """
    items, learnt = _unseen(classifier, read_index(data).subset(split))
    changed = _spread(items, _MOST_CHANGED)
    asked = [Asked(item, item in changed) for item in items]
    looked = [one for _, one in zip(progress(items), looker(classifier, asked), strict=True)]
    seen = [one for one in looked if isinstance(one, Seen)]
    skipped = [one for one in looked if isinstance(one, Skipped)]
    painted: dict[str, list[Repainted]]
    painted = {split: [one.repainted for one in seen if one.repainted]}
    if {one.item.label for one in seen} != {0, 1}:
        raise DatasetError(N_("An audit needs readable slices of both classes."))
    for folder in masks:
        painted[folder.resolve().name] = repainted_as_drawn(
            classifier, progress(read_drawn_slices(folder))
        )
    calibration = classifier.card.calibration
    figures = {
        "model_id": classifier.card.model_id,
        "split": split,
        "n": len(seen),
        "patients": len({one.item.patient for one in seen}),
        "learnt": learnt,
        "skipped": [{"file": s.path.name, "reason": s.reason} for s in skipped],
        "without_lungs": sum(not one.scores for one in seen),
        "forests": _forest_rows(seen),
        "anatomy": _anatomy_rows([one for one in seen if one.scores]),
        "painted": [
            row
            for of, some in painted.items()
            for row in painted_rows(of, calibration, some, drawn=of != split)
        ],
        "flips": _flip_rows(changes_for(classifier), calibration, [s for s in seen if s.changed]),
    }
    if sources:
        figures["told_apart"] = sources_told_apart(classifier, sources, progress)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False)
    (out / AUDIT_FILE).write_text(text + "\n", encoding="utf-8")
    return figures


def _unseen(classifier: Classifier, items: tuple[Item, ...]) -> tuple[tuple[Item, ...], int | None]:
    """The items to audit, and from how many of them the model learnt."""
    learnt = LearntSlices(classifier.card)
    if not learnt.are_known:
        return items, None
    unseen = tuple(item for item in items if not _is_in(learnt, item))
    if {item.label for item in unseen} == {0, 1}:
        return unseen, 0
    return items, len(items) - len(unseen)


def _is_in(learnt: LearntSlices, item: Item) -> bool:
    try:
        return read_slice(item.path) in learnt
    except UnreadableSlice:
        return False


def _spread(items: Sequence[Item], most: int) -> frozenset[Item]:
    """At most so many of the items, from all over their order."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).astype(int)
    return frozenset(items[i] for i in places)


def _forest_rows(seen: Sequence[Seen]) -> list[dict[str, Any]]:
    aucs = forests(
        [one.item for one in seen],
        [one.attributes for one in seen],
        [one.picture for one in seen],
        [one.network for one in seen],
    )
    return [
        {
            "features": features,
            "on": on,
            **judged("roc_auc", auc, _FOREST_TARGETS.get((features, on))),
        }
        for (features, on), auc in aucs.items()
    ]


def _anatomy_rows(seen: Sequence[Seen]) -> list[dict[str, Any]]:
    labels, patients = _labels(seen), _patients(seen)
    aucs = dict.fromkeys(_ANATOMY_TARGETS)
    if len(set(labels)) == 2:
        for shown in aucs:
            scores = np.array([one.scores[shown] for one in seen])
            aucs[shown] = measured_auc(labels, scores, patients)
    return [
        {"shown": shown, "n": len(seen), **judged("roc_auc", auc, _ANATOMY_TARGETS[shown])}
        for shown, auc in aucs.items()
    ]


def _flip_rows(
    changes: Iterable[Change], calibration: Calibration, seen: Sequence[Seen]
) -> list[dict[str, Any]]:
    before, patients = [one.probability for one in seen], _patients(seen)
    return [
        label_flips(
            change, calibration, before, [one.changed[change.name] for one in seen], patients
        )
        for change in changes
    ]


def _labels(seen: Sequence[Seen]) -> np.ndarray:
    return np.array([one.item.label for one in seen])


def _patients(seen: Sequence[Seen]) -> np.ndarray:
    return np.array([one.item.patient for one in seen])
