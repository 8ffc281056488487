"""The recipes that were compared by cross-validation, as a model's card tells of them."""

import json
from dataclasses import dataclass
from pathlib import Path

from covidct.files import MALFORMED
from covidct.inference.promotion import CARD_FILE


@dataclass(frozen=True, slots=True)
class Recipe:
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


def cross_validation(model: Path) -> tuple[Recipe, ...]:
    """The recipes on the card of a model folder; none where it holds no such table."""
    try:
        card = json.loads((model / CARD_FILE).read_text(encoding="utf-8"))
        return tuple(map(_recipe, card["about"]["cross_validation"]))
    except (OSError, *MALFORMED):
        return ()


def _recipe(row: dict) -> Recipe:
    error = row.get("expected_calibration_error")
    return Recipe(
        str(row["recipe"]),
        float(row["roc_auc"]),
        tuple(map(float, row["roc_auc_folds"])),
        float(row["accuracy"]),
        str(row["helped"]),
        str(row["note"]),
        None if error is None else float(error),
    )
