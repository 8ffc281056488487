"""Results as comma-separated values, named as `classify --json` names them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO
from typing import TYPE_CHECKING

from covidct.reports.result import Result
from covidct.spreadsheets import harmless

if TYPE_CHECKING:
    from covidct.inference.store import ModelCard

COLUMNS = (
    "case",
    "slice",
    "file",
    "frame",
    "position_mm",
    "label",
    "probability",
    "decision",
    "lung_share",
    "operating_point",
    "notes",
    "error",
    "set_aside",
    "model_id",
    "model_sha256",
)


def results_csv(results: Iterable[Result], card: ModelCard) -> str:
    """One line for each result, with the numbers that a PDF report of the same run names it by.

    The files' names are the user's own; nothing of their headers but positions is in the table.

    Args:
        results: of one model.
        card: that model's card.
    """
    text = StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    model = {"model_id": harmless(card.model_id), "model_sha256": card.sha256}
    table.writerows(_row(result) | model for result in results)
    return text.getvalue()


def _row(result: Result) -> dict[str, object]:
    row = {
        "case": result.case,
        "slice": result.number,
        "file": harmless(result.file),
        "frame": result.frame,
        "position_mm": result.position_mm,
        "lung_share": None if result.lung_share is None else round(result.lung_share, 4),
        "notes": " ".join(result.notes),
        "error": result.error,
        "set_aside": result.set_aside,
    }
    if prediction := result.prediction:
        row |= {
            "label": prediction.label,
            "probability": round(prediction.probability, 6),
            "decision": prediction.decision,
            "operating_point": round(prediction.operating_point, 6),
        }
    return row
