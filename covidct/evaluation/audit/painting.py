"""Whether Positive verdicts hang on opacities: asked again after these are painted out, and after
as much other lung is.

Aerated lung is painted over them on the slice itself, which then goes the whole way of an upload:
lungs, opacities and grey levels are found anew. That painting by itself changes verdicts is told by
the other lung, of the same area.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from covidct.data.masks import DrawnSlice
from covidct.evaluation.metrics import judged, share_among_patients
from covidct.imaging.anatomy.occlusion import as_much_elsewhere, painted_out, with_rim
from covidct.imaging.anatomy.segmentation import CALLED
from covidct.imaging.ct_slice import CTSlice
from covidct.inference.calibration import POSITIVE, Calibration
from covidct.inference.classifier import Classifier
from covidct.inference.opacities import LEAST_SHARE
from covidct.messages import N_

OPACITIES, OTHER_LUNG = N_("opacities"), N_("as much lung without opacities")
_BATCH = 16


@dataclass(frozen=True, slots=True)
class Repainted:
    """The probability of a slice called Positive, as it is and painted over.

    Attributes:
        patient: whose slice it is.
        before: as it is.
        is_opaque: whether it shows opacities, from 1 % of the lungs on.
        without_opacities: with these painted out; None where there are none, or where they leave
            less other lung than they take.
        without_other_lung: with as much other lung painted out instead, likewise.
    """

    patient: str
    before: float
    is_opaque: bool
    without_opacities: float | None = None
    without_other_lung: float | None = None


def repainted(
    classifier: Classifier,
    slices: Sequence[tuple[str, CTSlice, np.ndarray]],
    before: Sequence[float],
) -> list[Repainted]:
    """Ask again about those of some slices that are called Positive.

    Args:
        classifier: the model.
        slices: patient, slice, and where its opacities are, bool (H, W).
        before: the probability of each.
    """
    calibration = classifier.card.calibration
    positive = [
        ((patient, probability, _is_opaque(ct_slice, opaque)), _painted(ct_slice, opaque))
        for (patient, ct_slice, opaque), probability in zip(slices, before, strict=True)
        if calibration.label(probability) == POSITIVE
    ]
    pictures = [CTSlice(picture) for _, pair in positive for picture in pair]
    after = (look.prediction.probability for look in classifier.predict_many(pictures))
    return [Repainted(*known, *(next(after) for _ in pair)) for known, pair in positive]


def opaque_places(ct_slice: CTSlice) -> np.ndarray:
    """Where opacities are found on a slice, bool (H, W)."""
    return ct_slice.opacity_map >= CALLED


def repainted_as_drawn(classifier: Classifier, slices: Iterable[DrawnSlice]) -> list[Repainted]:
    """The same of slices with drawn opacities, which are painted out as drawn."""
    found: list[Repainted] = []
    rest = iter(slices)
    while some := list(islice(rest, _BATCH)):
        looks = classifier.predict_many([one.ct_slice for one in some])
        found += repainted(
            classifier,
            [(o.patient, classifier.segmented(o.ct_slice), o.opacities > 0) for o in some],
            [look.prediction.probability for look in looks],
        )
    return found


def painted_rows(
    name: str, calibration: Calibration, slices: Sequence[Repainted], *, drawn: bool
) -> list[dict[str, Any]]:
    """How many Positive verdicts painting turns over.

    Args:
        name: of the set of slices.
        calibration: what makes verdicts of probabilities.
        slices: of it, those called Positive.
        drawn: whether opacities are as people drew them, else as the program found them.

    Returns:
        A row for opacities and one for other lung: "of", the set; "drawn"; "painted", what was
        painted out; "turned", verdicts that are "Positive" no more, of "n" slices; "lower", those
        whose probability fell; "nothing_seen", further Positive slices without an opacity, and
        "too_full", those with too little other lung; "before" and "after", mean probabilities;
        "share" turned over with its 95 % interval, None without any slice. More is better in the
        first row, less in the second; neither has a target.
    """
    asked = [one for one in slices if one.without_opacities is not None]
    patients = np.array([one.patient for one in asked])
    before = np.array([one.before for one in asked])
    rows = []
    for painted, field in ((OPACITIES, "without_opacities"), (OTHER_LUNG, "without_other_lung")):
        after = np.array([getattr(one, field) for one in asked], float)
        turned = np.array([calibration.label(one) != POSITIVE for one in after], bool)
        share = share_among_patients(turned, patients) if asked else None
        rows.append(
            {
                "of": name,
                "drawn": drawn,
                "painted": str(painted),
                "turned": int(turned.sum()),
                "lower": int((after < before).sum()),
                "n": len(asked),
                "nothing_seen": sum(not one.is_opaque for one in slices),
                "too_full": sum(one.is_opaque for one in slices) - len(asked),
                "before": float(before.mean()) if asked else None,
                "after": float(after.mean()) if asked else None,
                **judged("share", share, None),
            }
        )
    return rows


def _is_opaque(ct_slice: CTSlice, opaque: np.ndarray) -> bool:
    return bool(opaque.any() and opaque.sum() >= LEAST_SHARE * (ct_slice.lung_mask | opaque).sum())


def _painted(ct_slice: CTSlice, opaque: np.ndarray) -> tuple[np.ndarray, ...]:
    """The slice without its opacities and without as much other lung; nothing if that cannot be."""
    lungs = ct_slice.lung_mask | opaque
    where = with_rim(opaque, lungs)
    elsewhere = as_much_elsewhere(where, lungs)
    if elsewhere is None or not _is_opaque(ct_slice, opaque):
        return ()
    grey = ct_slice.pixels
    return (
        painted_out(grey, where, lungs & ~where),
        painted_out(grey, elsewhere, lungs & ~where & ~elsewhere),
    )
