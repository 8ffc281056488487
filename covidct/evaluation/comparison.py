"""Two models on the same slices, as it is kept in a run's folder and shown."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covidct.evaluation.results import Review, Reviewed


@dataclass(frozen=True, slots=True)
class ComparedSlice:
    """One validation slice as both models see it.

    Attributes:
        path: the file.
        class_name: "COVID" or "NonCOVID", or one of several others.
        patient: as in the data set.
        candidate_probability: of COVID-19, by the candidate.
        candidate_label: "Positive" or "Negative".
        incumbent_probability: of COVID-19, by the model in use.
        incumbent_label: "Positive" or "Negative".
    """

    path: str
    class_name: str
    patient: str
    candidate_probability: float
    candidate_label: str
    incumbent_probability: float
    incumbent_label: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the validation slices of a run.

    Attributes:
        candidate: the figures of the run's model, as :func:`covidct.evaluation.evaluate.figures_of`
            gives them, with "model_id", "operating_point" and "learnt": from how many of the
            validation slices it learnt, None where that is not known.
        incumbent: those of the other model.
        auc_difference: candidate minus incumbent.
        auc_difference_ci95: its 95 % interval, low and high.
        chance_of_noise: how often chance alone would give so large a difference either way, 0 to 1.
        verdict: one sentence for a person.
        slices: every slice that could be read and that neither model learnt from.
        skipped: how many could not be read.
        left_out: how many one of the models learnt from, or both.
        masks: where masks were learnt: how well either finds lungs and opacities of the validation
            patients ("candidate" and "incumbent", as
            :func:`covidct.training.own_segmentation.overlap` gives them) and how many "patients"
            these are; else None.
    """

    candidate: dict[str, Any]
    incumbent: dict[str, Any]
    auc_difference: float
    auc_difference_ci95: tuple[float, float]
    chance_of_noise: float
    verdict: str
    slices: tuple[ComparedSlice, ...]
    skipped: int
    left_out: int
    masks: dict[str, Any] | None = None

    @property
    def is_worse(self) -> bool:
        """Whether the candidate's AUC is the lower one."""
        return self.auc_difference < 0


def by_slice(comparison: Comparison) -> dict[tuple[str, str], ComparedSlice]:
    """The slices of a comparison by patient and file, as :attr:`Reviewed.identity` has them."""
    return {(one.patient, Path(one.path).name): one for one in comparison.slices}


def disagreed(review: Review, comparison: Comparison) -> tuple[Reviewed, ...]:
    """Slices that the model in use calls otherwise, this model's mistakes first."""
    others = by_slice(comparison)
    differ = (
        reviewed
        for reviewed in review.slices
        if reviewed.identity in others
        and others[reviewed.identity].incumbent_label != reviewed.label
    )
    return tuple(sorted(differ, key=lambda s: (s.is_right, -review.confidence(s))))
