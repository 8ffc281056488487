"""What scripts are told of a slice or a series: the lines of ``classify --json`` and of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from covidct.inference.cases import SetAside
from covidct.inference.judge import Judged, Outcome, Refused, SeriesJudged
from covidct.inference.opacities import in_whole_units
from covidct.inference.series_verdict import RULE
from covidct.reports.words import cautions

if TYPE_CHECKING:
    from covidct.imaging.series import Place
    from covidct.inference.classifier import Prediction


def line_of(outcome: Outcome | SeriesJudged) -> dict[str, Any]:
    """What to tell of a slice or a series, as values that JSON knows."""
    match outcome:
        case Judged():
            return _named(outcome.case.place) | _judged(outcome)
        case Refused():
            return _named(outcome.case.place) | {"error": outcome.reason}
        case SetAside():
            return _named(outcome.case.place) | {"set_aside": outcome.reason}
        case SeriesJudged(prediction=prediction):
            return {
                "series": outcome.group.name,
                "slices": outcome.slices,
                "label": prediction.label,
                "probability": round(prediction.probability, 6),
                "decision": prediction.decision,
                **_classes(prediction),
                "rule": RULE,
                "opacity_volume_share": round(outcome.opacities.volume_share, 4),
                "severity": outcome.opacities.severity,
                "lung_density_hu": in_whole_units(outcome.opacities.lung_density),
                "notes": cautions(prediction, None),
                "model_id": prediction.model_id,
            }


def _named(place: Place) -> dict[str, Any]:
    found = {"file": place.file, "frame": place.frame, "position_mm": place.position_mm}
    return {key: value for key, value in found.items() if value is not None}


def _judged(judged: Judged) -> dict[str, Any]:
    """The verdict on a slice."""
    return {
        "label": judged.prediction.label,
        "probability": round(judged.prediction.probability, 6),
        "decision": judged.prediction.decision,
        **_classes(judged.prediction),
        "opacity_share": round(judged.opacities.share_of_lung, 4),
        "opacity_sides": judged.opacities.sides,
        "lung_density_hu": in_whole_units(judged.opacities.lung_density),
        "notes": [*judged.notes, *cautions(judged.prediction, judged.lung_share)],
        "model_id": judged.prediction.model_id,
    }


def _classes(prediction: Prediction) -> dict[str, dict[str, float]]:
    """The probability of each class, by a model that tells more than two apart."""
    rounded = {name: round(value, 6) for name, value in prediction.classes.items()}
    return {"classes": rounded} if rounded else {}
