"""A candidate and the model in use on the same slices, and whether their difference is noise."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from covidct.data.index import Item
from covidct.data.masks import MaskedSlice
from covidct.errors import NoUnseenSlices
from covidct.evaluation.comparison import ComparedSlice, Comparison
from covidct.evaluation.evaluate import (
    ClassifiedSlice,
    classify_items,
    figures_of,
    lacks_a_class,
    validation_items,
    verdicts_of,
)
from covidct.evaluation.metrics import Verdicts, roc_auc
from covidct.evaluation.sample import FEWEST_PATIENTS
from covidct.files import MALFORMED, replace_text
from covidct.imaging.anatomy.segmentation import shipped_segmenter
from covidct.inference.card import ModelCard, read_card
from covidct.inference.classifier import Classifier
from covidct.inference.promotion import current_model
from covidct.messages import N_
from covidct.stats.bootstrap import fewest_patients, interval, patient_weights
from covidct.training.own_segmentation import overlap, validation_masks

COMPARISON_FOLDER = "comparison"
_NOISE = 0.05


def compare(
    candidate: Path,
    incumbent: Path | None = None,
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> Comparison:
    """Ask both models about the validation slices of the candidate's run.

    What one of them learnt from tells nothing about which is better, and is left out.

    The result is kept in the run's folder ``comparison`` and read from there the next time.

    Args:
        candidate: a run folder with a model.
        incumbent: a model folder; None is the model in use.
        progress: wraps the slices, once for each model.

    Raises:
        ConfigError: the candidate is no run.
        NoUnseenSlices: a class has no slice that neither model learnt from.
        DatasetError: its data set is gone, or lacks readable slices of a class.
        ModelError: a model is missing or damaged.
    """
    incumbent = incumbent or current_model()
    cards = read_card(candidate), read_card(incumbent)
    kept = candidate / COMPARISON_FOLDER / ("-".join(card.sha256[:16] for card in cards) + ".json")
    comparison = _read(kept)
    if comparison is None:
        comparison = _compare(candidate, incumbent, progress)
        with suppress(OSError):  # a full disk costs no more than doing it again
            kept.parent.mkdir(exist_ok=True)
            replace_text(kept, json.dumps(asdict(comparison), ensure_ascii=False) + "\n")
    return comparison


def difference_in_auc(
    candidate: Verdicts, incumbent: Verdicts, seed: int = 0
) -> tuple[float, tuple[float, float], float]:
    """How much better the candidate ranks the same slices, and what chance alone would do.

    Paired bootstrap over patients: each sample draws whole patients within each class, the same for
    both models, since slices of one patient are no independent evidence (Field and Welsh 2007,
    doi:10.1111/j.1467-9868.2007.00593.x; paired samples: Efron and Tibshirani 1993, chapter 16).

    Args:
        candidate: verdicts on the same slices, in the same order, as
        incumbent: those of the other model.
        seed: of the bootstrap.

    Returns:
        The difference in AUC, its 95 % interval, and the two-sided chance that it is noise.
    """
    weights = patient_weights(candidate.labels, candidate.patients, seed)
    difference, *resampled = (roc_auc(candidate, weights) - roc_auc(incumbent, weights)).tolist()
    tail = min(np.sum(np.less_equal(resampled, 0)), np.sum(np.greater_equal(resampled, 0)))
    chance = min(1.0, 2 * (float(tail) + 1) / (len(resampled) + 1))
    return difference, interval(resampled), chance


def _compare(candidate: Path, incumbent: Path, progress: Callable) -> Comparison:
    new, in_use = Classifier.open(candidate), Classifier.open(incumbent)
    ours, skipped = classify_items(new, validation_items(candidate), progress)
    theirs, _ = classify_items(in_use, [one.item for one in ours], progress)
    fair = [pair for pair in zip(ours, theirs, strict=True) if not any(s.learnt for s in pair)]
    left_out = len(ours) - len(fair)
    if left_out and lacks_a_class(our for our, _ in fair):
        raise _nothing_fair(ours, theirs)
    our_fair, their_fair = [our for our, _ in fair], [their for _, their in fair]
    verdicts = verdicts_of(our_fair), verdicts_of(their_fair)
    difference, difference_ci95, chance = difference_in_auc(*verdicts)
    return Comparison(
        candidate=_figures(new.card, ours, our_fair),
        incumbent=_figures(in_use.card, theirs, their_fair),
        auc_difference=difference,
        auc_difference_ci95=difference_ci95,
        chance_of_noise=chance,
        verdict=_verdict(difference, chance, verdicts[0]),
        slices=tuple(
            ComparedSlice(
                str(our.item.path),
                our.item.class_name,
                our.item.patient,
                our.prediction.probability,
                our.prediction.label,
                their.prediction.probability,
                their.prediction.label,
            )
            for our, their in fair
        ),
        skipped=len(skipped),
        left_out=left_out,
        masks=_on_masks(new, in_use, validation_masks(candidate)),
    )


def _nothing_fair(
    ours: Sequence[ClassifiedSlice], theirs: Sequence[ClassifiedSlice]
) -> NoUnseenSlices:
    candidate, incumbent = (sum(one.learnt for one in slices) for slices in (ours, theirs))
    return NoUnseenSlices(
        N_(
            "Of the run’s {slices:,} validation slices its own model learnt from {candidate:,} or "
            "nearly the same pictures, the model in use from {incumbent:,}, and the rest lacks a "
            "class. Which model is better can only be told on slices that neither has seen.",
            slices=len(ours),
            candidate=candidate,
            incumbent=incumbent,
        )
    )


def _on_masks(
    candidate: Classifier, incumbent: Classifier, slices: list[MaskedSlice]
) -> dict[str, Any] | None:
    if not slices:
        return None
    found = {
        name: overlap(classifier.segmenter or shipped_segmenter(), slices)
        for name, classifier in (("candidate", candidate), ("incumbent", incumbent))
    }
    return {**found, "patients": len({one.patient for one in slices})}


def _figures(
    card: ModelCard, slices: Sequence[ClassifiedSlice], fair: Sequence[ClassifiedSlice]
) -> dict[str, Any]:
    first = slices[0].prediction
    return {
        "model_id": first.model_id,
        "operating_point": first.operating_point,
        "learnt": sum(one.learnt for one in slices) if card.learnt_from else None,
        **figures_of(fair),
    }


def _verdict(difference: float, chance: float, slices: Verdicts) -> str:
    patients = len(set(slices.patients))
    fewest = fewest_patients(slices.labels, slices.patients)
    if difference == 0:
        return N_(
            "Both models rank the slices of these {patients} patients equally well.",
            patients=patients,
        )
    figures = {"difference": difference, "patients": patients}
    finding = (
        N_(
            "The candidate ranks the slices better than the model in use (AUC {difference:+.3f} on "
            "{patients} patients)",
            **figures,
        )
        if difference > 0
        else N_(
            "The candidate ranks the slices worse than the model in use (AUC {difference:+.3f} on "
            "{patients} patients)",
            **figures,
        )
    )
    if fewest < FEWEST_PATIENTS:
        return N_(
            "{finding}, but {fewest} of a class are too few to tell that from noise.",
            finding=finding,
            fewest=fewest,
        )
    if chance < _NOISE:
        return N_(
            "{finding}; chance alone would rarely do that ({chance:.1%}).",
            finding=finding,
            chance=chance,
        )
    return N_(
        "{finding}, but this may well be noise (chance {chance:.0%}).",
        finding=finding,
        chance=chance,
    )


def _read(file: Path) -> Comparison | None:
    """A comparison that was kept; None where there is none that can be read."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        slices = tuple(ComparedSlice(**row) for row in values.pop("slices"))
        low, high = values.pop("auc_difference_ci95")
        return Comparison(**values, slices=slices, auc_difference_ci95=(low, high))
    except (OSError, *MALFORMED):
        return None
