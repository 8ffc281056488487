"""What pages and reports say alike of a verdict, its probability and its heat map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard
    from covidct.inference.classifier import Prediction

RESEARCH_USE = "Research use only."
NO_DECISION = (
    "Not a medical device and not a diagnosis; no decision about a patient may rest on it."
)
OUTSIDE_LUNGS = "Most of the heat map lies outside the lungs: do not trust this verdict."
NO_LUNGS = "No lungs were found on this slice: do not trust this verdict."
ELSEWHERE = (
    "Where the disease is rarer or commoner than in those data, or the scanner differs, the true "
    "figure differs too."
)
_MOSTLY = 50


def percent(share: float) -> str:
    """A share 0 to 1 in whole percent, never claiming certainty."""
    if share < 0.01:
        return "under 1%"
    if share > 0.99:
        return "over 99%"
    return f"{share:.0%}"


def derivation(card: ModelCard) -> str:
    """What an overlay is, for whoever meets its file elsewhere."""
    return (
        f"Heat map over a CT slice. Model {card.model_id}, SHA-256 {card.sha256}. "
        f"{RESEARCH_USE} {NO_DECISION}"
    )


def is_mostly_outside(lung_share: float | None) -> bool:
    """Whether less than half of a heat map lies inside the lungs, by the whole percent shown."""
    return lung_share is not None and round(100 * lung_share) < _MOSTLY


def verdict_sentence(prediction: Prediction, abstain_band: tuple[float, float]) -> str:
    """The verdict on one slice in a sentence or two."""
    if prediction.decision != prediction.label:
        low, high = map(percent, abstain_band)
        return (
            f"Too close to call: between {low} and {high} this model does not commit itself. "
            f"Alone, the operating point would make it {prediction.label}."
        )
    sentence = f"The network calls this slice {prediction.label} for COVID-19."
    return sentence if prediction.is_positive else f"{sentence} This does not exclude the disease."


def series_sentence(verdict: Prediction, number: int) -> str:
    """What the verdict on a series rests on.

    Args:
        verdict: on the series.
        number: from 1, of the slice whose probability it is.
    """
    from covidct.inference.series_verdict import RULE

    return f"The series, by the slices around {number} ({percent(verdict.probability)}). {RULE}"


def calibration_statement(card: ModelCard) -> str:
    """Where a model's probabilities were calibrated and how far they were off, by its card."""
    for key, slices in (
        ("out_of_fold", "out-of-fold slices of {patients:,} patients (cross-validation)"),
        ("validation", "validation slices of {patients:,} patients"),
    ):
        try:
            figures = card.about[key]
            error = float(figures["expected_calibration_error"])
            where = f"{figures['n']:,} {slices.format(patients=figures['patients'])}"
        except (KeyError, TypeError, ValueError):
            continue
        return (
            f"Calibrated on {where}. There it was off by {100 * error:.1f} percentage points on "
            f"average (expected calibration error {error:.3f}), which is optimistic: the "
            f"calibration was fitted to the same slices. {ELSEWHERE}"
        )
    return f"The model’s card does not say how well its probabilities are calibrated. {ELSEWHERE}"


def conversion(about: Mapping[str, Any]) -> str:
    """In which numbers a trained model runs, and what that changes; empty where it is not known."""
    told = about.get("conversion")
    if not told:
        return ""
    share = percent(told["differing_validation_verdicts"])
    if told["in_integers"]:
        return f"It runs in integers of 8 bits; floats change {share} of its validation verdicts."
    most = percent(told["most_accepted"])
    return (
        f"It runs in 32-bit floats: integers changed {share} of its validation verdicts; at most "
        f"{most} are accepted."
    )
