"""What a model's card tells of cross-validation: recipes compared, label flips."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covidct.files import MALFORMED
from covidct.inference.card import CARD_FILE
from covidct.messages import N_, Message


@dataclass(frozen=True, slots=True)
class RecipeRow:
    """One way of training, on folds that share no patient.

    Attributes:
        name: what was done.
        roc_auc: mean over the folds, or of all out-of-fold probabilities.
        roc_auc_folds: of each fold.
        accuracy: likewise.
        helped: whether it was kept, in a word.
        note: a remark.
        calibration_error: out of fold, after calibration; None where it was not measured.
    """

    name: str
    roc_auc: float
    roc_auc_folds: tuple[float, ...]
    accuracy: float
    helped: str
    note: str
    calibration_error: float | None


_GAIN = re.compile(r"([+-]\d\.\d{3}), better in (\d+) of (\d+) folds")


def gain_in_words(gain: float, better: int, folds: int) -> Message:
    """A remark on how much better a recipe is than the one that was kept.

    Args:
        gain: of the mean AUC of the folds.
        better: in so many
        folds: of these it is better.
    """
    return N_(
        "{gain:+.3f}, better in {better} of {folds} folds", gain=gain, better=better, folds=folds
    )


def _note(written: str) -> str:
    """A card's remark, which can be translated where it is one of :func:`gain_in_words`."""
    said = _GAIN.fullmatch(written)
    return gain_in_words(float(said[1]), int(said[2]), int(said[3])) if said else written


def cross_validation(model: Path) -> tuple[RecipeRow, ...]:
    """The recipes on the card of a model folder; none where it holds no such table."""
    try:
        return tuple(map(_recipe, _about(model)["cross_validation"]))
    except (OSError, *MALFORMED):
        return ()


def label_flips_out_of_fold(model: Path) -> tuple[dict[str, Any], ...]:
    """Rows as :func:`covidct.evaluation.audit.robustness.label_flips` gives them, on slices of
    patients that the judging head had not seen; none where the model's card holds none."""
    try:
        return tuple(map(_label_flips, _about(model)["out_of_fold"]["flips"]))
    except (OSError, *MALFORMED):
        return ()


def _about(model: Path) -> dict[str, Any]:
    return json.loads((model / CARD_FILE).read_text(encoding="utf-8"))["about"]


def _recipe(row: dict) -> RecipeRow:
    error = row.get("expected_calibration_error")
    return RecipeRow(
        str(row["recipe"]),
        float(row["roc_auc"]),
        tuple(map(float, row["roc_auc_folds"])),
        float(row["accuracy"]),
        str(row["helped"]),
        _note(str(row["note"])),
        None if error is None else float(error),
    )


def _label_flips(row: dict) -> dict[str, Any]:
    counts = {
        name: int(row[name]) for name in ("flipped", "to_positive", "both_decided", "n", "excluded")
    }
    low, high = row["share_ci95"]
    return counts | {
        "change": str(row["change"]),
        "share": float(row["share"]),
        "share_ci95": [float(low), float(high)],
        "target": float(row["target"]),
        "met": bool(row["met"]),
    }
