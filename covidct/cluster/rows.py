"""Verdicts on slices as lines of JSON, as workers send them and a journal keeps them.

Numbers come back to the bit: JSON in Python writes the shortest text that gives the same number.
"""

import json
from dataclasses import asdict
from typing import Any

from covidct.data.near_duplicates import fingerprint
from covidct.errors import NotALungSlice, UnreadableSlice, UnsupportedEncoding
from covidct.inference.cases import Case
from covidct.inference.classifier import Prediction
from covidct.inference.judge import Judged, Refused
from covidct.inference.learnt import hashes_of
from covidct.inference.opacities import OpacityFindings

_ERRORS = {kind.__name__: kind for kind in (UnreadableSlice, UnsupportedEncoding, NotALungSlice)}


def row_of(outcome: Judged | Refused, *, fingerprinted: bool = False) -> str:
    """What was found of a slice, without its name and its pixels; its fingerprint if asked for."""
    if isinstance(outcome, Refused):
        return json.dumps({"error": outcome.error.code, "reason": outcome.reason})
    return json.dumps(
        {
            "prediction": asdict(outcome.prediction),
            "lung_share": outcome.lung_share,
            "opacities": asdict(outcome.opacities),
            "notes": outcome.notes,
            "source": outcome.source,
            "shape": outcome.shape,
            "fingerprint": _fingerprint_of(outcome) if fingerprinted else "",
        },
        default=lambda value: value.item(),  # of NumPy
    )


def outcome_of(case: Case, row: str) -> Judged | Refused:
    """The outcome of a slice that its row holds.

    Args:
        case: the slice.
        row: as :func:`row_of` made it of that slice.
    """
    found: dict[str, Any] = json.loads(row)
    if "error" in found:
        return Refused(case, _ERRORS[found["error"]](found["reason"]))
    opacities = found["opacities"]
    for name in ("lung_areas", "opacity_areas"):
        opacities[name] = tuple(opacities[name])
    return Judged(
        case,
        Prediction(**found["prediction"]),
        found["lung_share"],
        OpacityFindings(**opacities),
        tuple(found["notes"]),
        found["source"],
        tuple(found["shape"]),
        fingerprint=found.get("fingerprint", ""),
    )


def _fingerprint_of(outcome: Judged) -> str:
    assert outcome.seen
    (one,) = hashes_of([fingerprint(outcome.seen[0])])
    return one
