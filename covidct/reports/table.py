"""Results as comma-separated values, named as `classify --json` names them."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import TYPE_CHECKING

from covidct.data.classes import PROBABILITY_OF
from covidct.spreadsheets import write_table

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard
    from covidct.inference.classifier import Prediction
    from covidct.inference.judge import Outcome, SeriesJudged

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
    "opacity_share",
    "opacity_sides",
    "lung_density_hu",
    "operating_point",
    "notes",
    "error",
    "set_aside",
    "series",
    "slices",
    "opacity_volume_share",
    "severity",
    "model_id",
    "model_sha256",
)


def results_csv(outcomes: Iterable[Outcome | SeriesJudged], card: ModelCard) -> str:
    """One line for each slice and each series, numbered as in a PDF report of the same run.

    That of a series has its name and how many slices were judged, and no slice or file. A model
    that tells more than two classes apart adds the probability of each.

    The files' names are the user's own; nothing of their headers but positions is in the table.

    Args:
        outcomes: of one model.
        card: that model's card.
    """
    text = StringIO()
    model = {"model_id": card.model_id, "model_sha256": card.sha256}
    rows = [_row(outcome) | model for outcome in outcomes]
    further = dict.fromkeys(name for row in rows for name in row if name not in COLUMNS)
    columns = (*COLUMNS, *further)
    write_table(text, columns, [[row.get(column) for column in columns] for row in rows])
    return text.getvalue()


def _row(outcome: Outcome | SeriesJudged) -> dict[str, object]:
    from covidct.inference.cases import SetAside
    from covidct.inference.judge import Judged, Refused, SeriesJudged
    from covidct.inference.opacities import in_whole_units

    if isinstance(outcome, SeriesJudged):
        return _verdict(outcome.prediction) | {
            "case": outcome.group.number,
            "series": outcome.group.name,
            "slices": outcome.slices,
            "opacity_volume_share": round(outcome.opacities.volume_share, 4),
            "severity": outcome.opacities.severity,
            "opacity_sides": outcome.opacities.sides,
            "lung_density_hu": in_whole_units(outcome.opacities.lung_density),
        }
    place = outcome.case.place
    row: dict[str, object] = {
        "case": outcome.case.group,
        "slice": outcome.case.number,
        "file": place.file,
        "frame": place.frame,
        "position_mm": place.position_mm,
    }
    match outcome:
        case Judged(prediction=prediction, lung_share=share):
            of_lungs = {
                "lung_share": None if share is None else round(share, 4),
                "opacity_share": round(outcome.opacities.share_of_lung, 4),
                "opacity_sides": outcome.opacities.sides,
                "lung_density_hu": in_whole_units(outcome.opacities.lung_density),
            }
            said = {"notes": " ".join(outcome.notes), "error": outcome.error}
            return row | _verdict(prediction) | of_lungs | said
        case Refused():
            return row | {"error": outcome.reason}
        case SetAside():
            return row | {"set_aside": outcome.reason}


def _verdict(prediction: Prediction) -> dict[str, object]:
    return {
        "label": prediction.label,
        "probability": round(prediction.probability, 6),
        "decision": prediction.decision,
        "operating_point": round(prediction.operating_point, 6),
        **{f"{PROBABILITY_OF}{name}": round(p, 6) for name, p in prediction.classes.items()},
    }
