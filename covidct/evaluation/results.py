"""Judged slices, to look at: cells of the confusion matrix, mistakes, ROC.

Reads what :mod:`covidct.evaluation.evaluate` wrote; asks no network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from covidct.data.classes import CLASS_PREFIX, COVID, PROBABILITY_OF
from covidct.data.index import images_folder
from covidct.errors import DatasetError
from covidct.files import MALFORMED, NAMES
from covidct.imaging.dicom.acquisition import UNKNOWN, Acquisition
from covidct.messages import N_
from covidct.spreadsheets import read_table

VALIDATION_FOLDER = "validation"
METRICS_FILE, PREDICTIONS_FILE, AUDIT_FILE = "metrics.json", "predictions.csv", "audit.json"
FAITHFULNESS_FILE = "faithfulness.json"
_LEARNT = "1"  # in a row of predictions.csv


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One slice and what the model said of it.

    Attributes:
        file: its name.
        class_name: "COVID" or "NonCOVID", or one of several others.
        patient: as the data set knows the patient.
        probability: calibrated, of COVID-19.
        label: "Positive" or "Negative".
        decision: the label, or "Uncertain"; empty where that was not recorded, as are
        source: the format, such as "PNG", and
        shape: rows and columns, else 0.
        opacity_share: the part of the lungs that opacities take, as found, or None.
        acquisition: what is known of patient and scanner.
        path: where it was filed, "CT_COVID/a.png", whatever its label was corrected to.
        classes: the probability of each class, as :attr:`.Prediction.classes` has them.
    """

    file: str
    class_name: str
    patient: str
    probability: float
    label: str
    decision: str = ""
    source: str = ""
    shape: tuple[int, int] = (0, 0)
    opacity_share: float | None = None
    acquisition: Acquisition = UNKNOWN
    path: str = ""
    classes: Mapping[str, float] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str]:
        """Patient and file name, which no two slices of a data set share."""
        return self.patient, self.file

    @property
    def is_covid(self) -> bool:
        """Whether its label in the data set is COVID-19."""
        return self.class_name == "COVID"

    @property
    def is_positive(self) -> bool:
        """Whether it was called Positive."""
        return self.label == "Positive"

    @property
    def is_right(self) -> bool:
        """Whether verdict and label agree."""
        return self.is_positive == self.is_covid


@dataclass(frozen=True, slots=True)
class Review:
    """The slices of an evaluation with the figures drawn from them.

    Attributes:
        slices: those that the model did not learn from, in the order in which they were judged.
        figures: what ``metrics.json`` holds.
    """

    slices: tuple[Reviewed, ...]
    figures: Mapping[str, Any]

    @property
    def operating_point(self) -> float:
        """Probability from which a slice was called Positive."""
        return self.figures["operating_point"]

    def at(self, operating_point: float) -> Review:
        """The same slices, called Positive from another probability."""
        if operating_point == self.operating_point:
            return self
        slices = tuple(
            replace(one, label="Positive" if one.probability >= operating_point else "Negative")
            for one in self.slices
        )
        return Review(slices, {"operating_point": operating_point})

    def cell(self, covid: bool, positive: bool) -> tuple[Reviewed, ...]:
        """The slices of one cell of the confusion matrix, the most confident verdict first."""
        members = (s for s in self.slices if (s.is_covid, s.is_positive) == (covid, positive))
        return tuple(sorted(members, key=self.confidence, reverse=True))

    def mistakes(self) -> tuple[Reviewed, ...]:
        """All wrong verdicts, the most confident first."""
        wrong = (s for s in self.slices if not s.is_right)
        return tuple(sorted(wrong, key=self.confidence, reverse=True))

    def confidence(self, reviewed: Reviewed) -> float:
        """How far past the operating point a verdict lies, as a share of the room on its side."""
        return confidence(reviewed.probability, self.operating_point)

    def roc(self) -> tuple[tuple[float, float], ...]:
        """The ROC curve: (1 - specificity, sensitivity) from (0, 0) to (1, 1)."""
        return roc_points([s.is_covid for s in self.slices], [s.probability for s in self.slices])

    def at_operating_point(self) -> tuple[float, float]:
        """(1 - specificity, sensitivity) of the verdicts at the operating point."""
        called: dict[bool, list[bool]] = {covid: [] for covid in (False, True)}
        for one in self.slices:
            called[one.is_covid].append(one.is_positive)
        return fmean(called[False]), fmean(called[True])


def confidence(probability: float, operating_point: float) -> float:
    """How far from the operating point a probability lies, as a share of the room on its side."""
    room = 1 - operating_point if probability >= operating_point else operating_point
    return abs(probability - operating_point) / room if room else 0.0


def is_judged(run: Path) -> bool:
    """Whether a run has left a model with verdicts on its validation slices."""
    return (run / VALIDATION_FOLDER / PREDICTIONS_FILE).is_file()


def read_review(run: Path) -> Review:
    """The validation of a run.

    Raises:
        DatasetError: the run was not judged, or its files cannot be read.
    """
    try:
        return read_evaluation(run / VALIDATION_FOLDER)
    except DatasetError as error:
        raise DatasetError(
            N_(
                "The validation of this run cannot be read: the run has not been judged yet, or "
                "its folder “validation” was changed."
            )
        ) from error


def read_evaluation(folder: Path) -> Review:
    """What :func:`covidct.evaluation.evaluate.evaluate` wrote.

    Raises:
        DatasetError: its files are missing or cannot be read.
    """
    try:
        figures = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
        with (folder / PREDICTIONS_FILE).open(newline="", **NAMES) as rows:
            table = read_table(rows)
            slices = tuple(_reviewed(row) for row in table if row.get("learnt") != _LEARNT)
        float(figures["operating_point"])
    except (OSError, *MALFORMED) as error:
        raise DatasetError(N_("The results are missing or cannot be read.")) from error
    return Review(slices, figures)


def roc_points(
    labels: Sequence[bool], probabilities: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    """(1 - specificity, sensitivity) at each threshold, from (0, 0) to (1, 1)."""
    from sklearn.metrics import roc_curve  # a second, which a page that lists runs can do without

    false, true, _ = roc_curve(labels, probabilities)
    return tuple(zip(false.tolist(), true.tolist(), strict=True))


def _reviewed(row: Mapping[str, str]) -> Reviewed:
    probability = float(row["probability"])
    others = {
        name.removeprefix(PROBABILITY_OF): float(value)
        for name, value in row.items()
        if name.startswith(PROBABILITY_OF)
    }
    return Reviewed(
        row["file"],
        row["class"],
        row["patient"],
        probability,
        row["label"],
        row.get("decision", ""),
        row.get("source", ""),
        (int(row.get("height", 0)), int(row.get("width", 0))),
        _number(row.get("opacity_share")),
        Acquisition(
            None if (age := _number(row.get("age"))) is None else int(age),
            row.get("sex", ""),
            row.get("scanner", ""),
            _number(row.get("slice_thickness_mm")),
        ),
        row.get("path") or "",
        {COVID: probability, **others} if others else {},
    )


def _number(field: str | None) -> float | None:
    return float(field) if field else None


def path_of(data: Path, reviewed: Reviewed) -> Path:
    """Where the slice lies in its data set."""
    filed = reviewed.path or f"{CLASS_PREFIX}{reviewed.class_name}/{reviewed.file}"
    return images_folder(data) / filed
