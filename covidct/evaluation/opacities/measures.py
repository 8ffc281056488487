"""The measures of segmentation, as its field reports them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from covidct.data.masks import MaskedSlice
from covidct.imaging.anatomy.lungs import lungs_and_opacities
from covidct.imaging.anatomy.segmentation import CALLED, Segmenter
from covidct.stats.overlap import dice

OPAQUE_SHARE = 0.01  # of the lungs; from there on a slice counts as one with opacities
_FEWEST_LUNG = 200  # places of a slice on which shares are compared
_EVERY = 4  # places of which one counts for the AUC; neighbours tell the same


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found on a slice.

    Attributes:
        masked: the slice and what was drawn on it.
        lungs: bool (h, w).
        opacities: float32 (h, w), probability.
    """

    masked: MaskedSlice
    lungs: np.ndarray
    opacities: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """Where opacities are called, bool (h, w)."""
        return self.opacities >= CALLED

    @property
    def share(self) -> float:
        """The part of the lungs that is opaque, as found."""
        return float((self.mask & self.lungs).sum() / max(1, self.lungs.sum()))


def found_by(segmenter: Segmenter, masked: MaskedSlice) -> Found:
    """What a network that is ready for use finds on a slice."""
    return Found(masked, *lungs_and_opacities(masked.grey, segmenter))


def surface_distance(one: np.ndarray, other: np.ndarray) -> float | None:
    """The average symmetric surface distance of two masks, bool (h, w), in places.

    None where either is empty: there is no surface to be near to. Source: Heimann et al. 2009,
    doi:10.1109/TMI.2009.2013851.
    """
    if not one.any() or not other.any():
        return None
    edges = _edge(one), _edge(other)
    away = [cv2.distanceTransform((~edge).view(np.uint8), cv2.DIST_L2, 5) for edge in edges]
    return float(np.concatenate([away[0][edges[1]], away[1][edges[0]]]).mean())


def _edge(mask: np.ndarray) -> np.ndarray:
    return mask & ~(cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0)


def by_patient(found: Sequence[Found]) -> list[dict[str, Any]]:
    """A row a patient: how well lungs and opacities were found on all of its slices."""
    rows = []
    for patient in sorted({one.masked.patient for one in found}):
        own = [one for one in found if one.masked.patient == patient]
        drawn, drawn_lungs = (
            np.stack([getattr(one.masked, name) > 0 for one in own])
            for name in ("opacities", "lungs")
        )
        masks, lungs = np.stack([one.mask for one in own]), np.stack([one.lungs for one in own])
        shown = [one for one in own if one.masked.lungs.sum() >= _FEWEST_LUNG]
        distances = (surface_distance(one.mask, one.masked.opacities > 0) for one in own)
        rows.append(
            {
                "patient": patient,
                "slices": len(own),
                "lungs_dice": dice(lungs, drawn_lungs),
                "opacities_dice": dice(masks, drawn) if drawn.any() else None,
                "surface_distance": _mean(one for one in distances if one is not None),
                "share_drawn": float((drawn & drawn_lungs).sum() / max(1, drawn_lungs.sum())),
                "share_found": float((masks & lungs).sum() / max(1, lungs.sum())),
                "share_error": _mean(abs(one.share - one.masked.share) for one in shown),
                "opacities_in_lungs": (
                    float((drawn & lungs).sum() / drawn.sum()) if drawn.any() else None
                ),
            }
        )
    return rows


def summarise(found: Sequence[Found]) -> dict[str, Any]:
    """Figures of each source, and of all.

    Returns:
        "by_source": by the source's name, slices, patients, the Dice coefficient of the lungs, the
        mean Dice coefficient, surface distance (in places of a 256th of the figure) and error of
        the share of its patients with opacities, detected ("of" slices with opacities drawn in at
        least 1 % of the lungs), falsely_detected ("of" slices without any).
        "place_auc": how well the probability tells places with and without opacities apart.
    """
    sources = sorted({one.masked.source for one in found})
    return {
        "by_source": {
            source: _of_source([one for one in found if one.masked.source == source])
            for source in sources
        },
        "place_auc": _place_auc(found),
    }


def _of_source(found: Sequence[Found]) -> dict[str, Any]:
    rows = by_patient(found)
    diseased = [row for row in rows if row["opacities_dice"] is not None]
    means = {
        name: _mean(row[name] for row in diseased if row[name] is not None)
        for name in ("opacities_dice", "surface_distance", "share_error", "opacities_in_lungs")
    }
    return {
        "slices": len(found),
        "patients": len(rows),
        "lungs_dice": dice(
            np.stack([one.lungs for one in found]),
            np.stack([one.masked.lungs > 0 for one in found]),
        ),
        **means,
        "detected": _called(found, lambda one: one.masked.share >= OPAQUE_SHARE),
        "falsely_detected": _called(found, lambda one: not one.masked.opacities.any()),
    }


def _called(found: Sequence[Found], among: Callable[[Found], bool]) -> dict[str, int]:
    chosen = [one for one in found if among(one) and one.masked.lungs.sum() >= _FEWEST_LUNG]
    return {"slices": sum(one.share >= OPAQUE_SHARE for one in chosen), "of": len(chosen)}


def _place_auc(found: Sequence[Found]) -> float | None:
    places = [
        (one.masked.opacities[::_EVERY, ::_EVERY] > 0, one.opacities[::_EVERY, ::_EVERY], lungs)
        for one in found
        for lungs in [(one.masked.lungs | one.lungs)[::_EVERY, ::_EVERY] > 0]
    ]
    drawn = np.concatenate([one[inside] for one, _, inside in places])
    if drawn.all() or not drawn.any():
        return None
    return float(roc_auc_score(drawn, np.concatenate([p[inside] for _, p, inside in places])))


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return float(np.mean(listed)) if listed else None
