"""What pages and reports say alike of a verdict, its probability and its heat map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from covidct.data.classes import own_title
from covidct.inference.calibration import BLACK_LUNGS, DENSE_LUNGS, EXTENSIVE_OPACITIES
from covidct.messages import N_, Message, joined, ngettext, number

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard
    from covidct.inference.classifier import Prediction

RESEARCH_USE = N_("Research use only.")
NO_DECISION = N_(
    "Not a medical device and not a diagnosis; no decision about a patient may rest on it."
)
OUTSIDE_LUNGS = N_("Most of the heat map lies outside the lungs: do not trust this verdict.")
DOUBTS = {
    EXTENSIVE_OPACITIES: N_(
        "Pattern and extent disagree: the network calls the pattern Negative, but opacities take "
        "up a large part of the lungs."
    ),
    DENSE_LUNGS: N_(
        "Pattern and density disagree: the network calls the pattern Negative, but the lungs as a "
        "whole are denser than aerated lung is. Disease, or a scan without a deep breath, does "
        "that."
    ),
    BLACK_LUNGS: N_(
        "The lungs are black throughout, as in a mediastinal window: what they held is lost. "
        "Export the slice in a lung window."
    ),
}
NO_LUNGS = N_("No lungs were found on this slice: do not trust this verdict.")
ELSEWHERE = N_(
    "Where the disease is rarer or commoner than in those data, or the scanner differs, the true "
    "figure differs too."
)
CLASSES_OF_SERIES = N_("How right these are of a series was not measured.")
_MOSTLY = 50


def percent(share: float) -> str:
    """A share 0 to 1 in whole percent, never claiming certainty."""
    if share < 0.01:
        return N_("under 1%")
    if share > 0.99:
        return N_("over 99%")
    return number(share, ".0%")


def whose(card: ModelCard) -> str:
    """That a model is somebody's own, and on how much it was validated; empty for the shipped."""
    from covidct.inference.promotion import is_own

    if not is_own(card):
        return ""
    try:
        validated = card.about["validation"]
        slices, patients = int(validated["n"]), int(validated["patients"])
    except (KeyError, TypeError, ValueError):
        return N_("Own model, not validated.")
    return N_(
        "Own model, validated on {slices:,} slices of {patients:,} patients.",
        slices=slices,
        patients=patients,
    )


def derivation(card: ModelCard) -> str:
    """What an overlay is, for whoever meets its file elsewhere."""
    return joined(
        N_(
            "Heat map over a CT slice. Model {model_id}, SHA-256 {sha256}.",
            model_id=card.model_id,
            sha256=card.sha256,
        ),
        *filter(None, [whose(card)]),
        RESEARCH_USE,
        NO_DECISION,
    )


def is_mostly_outside(lung_share: float | None) -> bool:
    """Whether less than half of a heat map lies inside the lungs, by the whole percent shown."""
    return lung_share is not None and round(100 * lung_share) < _MOSTLY


def distrust(lung_share: float | None) -> list[Message]:
    """Why a verdict itself has to say that it is not to be trusted: where its evidence lies."""
    if lung_share is None:
        return [NO_LUNGS]
    return [OUTSIDE_LUNGS] if is_mostly_outside(lung_share) else []


def cautions(prediction: Prediction, lung_share: float | None) -> list[Message]:
    """What speaks against relying on a verdict: where its heat lies, what its lungs show."""
    outside = [OUTSIDE_LUNGS] if is_mostly_outside(lung_share) else []
    return [*outside, *([DOUBTS[prediction.doubt]] if prediction.doubt else [])]


def leaning(prediction: Prediction) -> list[Message]:
    """On which side of the operating point a slice lies of which the decision does not tell it."""
    if prediction.doubt or prediction.decision == prediction.label:
        return []
    label = Message(prediction.label)
    return [N_("The operating point alone would make it {label}.", label=label)]


def uncertain_from_to(abstain_band: tuple[float, float]) -> Message:
    """What the hatched band on a scale of probabilities is called."""
    low, high = map(percent, abstain_band)
    return N_("Uncertain: {low} to {high}", low=low, high=high)


def verdict_sentence(prediction: Prediction, abstain_band: tuple[float, float]) -> str:
    """The verdict on one slice in a sentence or two."""
    if prediction.doubt:
        return DOUBTS[prediction.doubt]
    if prediction.decision != prediction.label:
        low, high = map(percent, abstain_band)
        return N_(
            "Too close to call: between {low} and {high} this model does not commit itself. Alone, "
            "the operating point would make it {label}.",
            low=low,
            high=high,
            label=Message(prediction.label),
        )
    sentence = N_(
        "The network calls this slice {label} for COVID-19.", label=Message(prediction.label)
    )
    if prediction.is_positive:
        return sentence
    return joined(sentence, N_("This does not exclude the disease."))


def classes_sentence(prediction: Prediction) -> str:
    """The probability of each class, the likeliest first; empty where the model knows two alone."""
    ranked = sorted(prediction.classes.items(), key=lambda one: -one[1])
    return joined(
        *(
            N_(
                "{name} {share}",
                name=Message(own_title(name)),
                share=percent(probability),
            )
            for name, probability in ranked
        ),
        by=", ",
    )


def series_sentence(verdict: Prediction, number: int) -> str:
    """What the verdict on a series rests on.

    Args:
        verdict: on the series.
        number: from 1, of the slice whose probability it is.
    """
    from covidct.inference.series_verdict import RULE

    rests_on = N_(
        "The series, by the slices around {number} ({probability}).",
        number=number,
        probability=percent(verdict.probability),
    )
    return joined(rests_on, RULE)


def calibration_statement(card: ModelCard) -> str:
    """Where a model's probabilities were calibrated and how far they were off, by its card."""
    for key, data in (
        (
            "out_of_fold",
            N_("{slices:,} out-of-fold slices of {patients:,} patients (cross-validation)"),
        ),
        ("validation", N_("{slices:,} validation slices of {patients:,} patients")),
    ):
        try:
            figures = card.about[key]
            error = float(figures["expected_calibration_error"])
            where = Message(data, slices=figures["n"], patients=figures["patients"])
        except (KeyError, TypeError, ValueError):
            continue
        measured = N_(
            "Calibrated on {where}. There it was off by {points:.1f} percentage points on average "
            "(expected calibration error {error:.3f}), which is optimistic: the calibration was "
            "fitted to the same slices.",
            where=where,
            points=100 * error,
            error=error,
        )
        return joined(measured, ELSEWHERE)
    unknown = N_("The model’s card does not say how well its probabilities are calibrated.")
    return joined(unknown, ELSEWHERE)


def learnt_masks(about: Mapping[str, Any]) -> str:
    """What came of the masks that a model was trained with; empty where there were none."""
    told = about.get("masks")
    if not told:
        return ""
    finding = (
        N_("Lungs and opacities are found by a network that was learnt from the masks.")
        if told["kept"]
        else N_(
            "Lungs and opacities are found as before: the network that was learnt from the masks "
            "does it no better."
        )
    )
    return joined(finding, overlaps(told["new"], told["in_use"], told["validation"]["patients"]))


def overlaps(candidate: Mapping[str, float], incumbent: Mapping[str, float], patients: int) -> str:
    """How well two models find lungs and opacities that are drawn on slices of so many patients."""
    in_use = {f"{name}_in_use": value for name, value in incumbent.items()}
    return ngettext(
        "Dice coefficient on {count} validation patient with masks: opacities {opacities:.2f} "
        "(network in use {opacities_in_use:.2f}), lungs {lungs:.2f} ({lungs_in_use:.2f}).",
        "Dice coefficients on {count} validation patients with masks: opacities {opacities:.2f} "
        "(network in use {opacities_in_use:.2f}), lungs {lungs:.2f} ({lungs_in_use:.2f}).",
        patients,
        **candidate,
        **in_use,
    )


def conversion(about: Mapping[str, Any]) -> str:
    """In which numbers a trained model runs, and what that changes; empty where it is not known."""
    told = about.get("conversion")
    if not told:
        return ""
    share = percent(told["differing_validation_verdicts"])
    if told["in_integers"]:
        return N_(
            "It runs in integers of 8 bits; floats change {share} of its validation verdicts.",
            share=share,
        )
    most = percent(told["most_accepted"])
    return N_(
        "It runs in 32-bit floats: integers changed {share} of its validation verdicts; at most "
        "{most} are accepted.",
        share=share,
        most=most,
    )
