"""What became of one slice, as tables and summaries tell it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from covidct.imaging.extent import BEYOND_LUNGS, tell_ends

if TYPE_CHECKING:
    from covidct.imaging.series import Place
    from covidct.inference.classifier import Prediction


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one slice, small enough to be kept for thousands.

    Attributes:
        case: number of the file or series in its report, from 1.
        number: of the slice in its case, from 1; None where it was set aside before it was read.
        file: what the user calls its file; in tables only.
        frame: its number in a file of several frames, from 1; else None.
        position_mm: along the normal of its series, rising towards the head; None where unknown.
        prediction: the verdict; None where there is none.
        lung_share: part of the default heat map that lies inside the lungs, None if unknown.
        notes: the reader's remarks.
        error: why the slice was refused, else empty.
        set_aside: why it was left out of its series, else empty.
        gated: whether it can be read, and the gate refused it.
    """

    case: int
    number: int | None
    file: str
    frame: int | None = None
    position_mm: float | None = None
    prediction: Prediction | None = None
    lung_share: float | None = None
    notes: tuple[str, ...] = ()
    error: str = ""
    set_aside: str = ""
    gated: bool = False

    @classmethod
    def at(cls, case: int, number: int | None, place: Place, **outcome: object) -> Result:
        """Of the slice at a place; ``outcome`` is what is known beside it."""
        return cls(case, number, place.file, place.frame, place.position_mm, **outcome)


def with_ends(series: Iterable[Result]) -> list[Result]:
    """The results of a series in its order, what the gate refused beyond the lungs set aside."""
    return list(tell_ends(series, lambda result: result.prediction is not None, _beyond_lungs))


def _beyond_lungs(result: Result) -> Result:
    if not result.gated:
        return result
    return replace(result, error="", set_aside=f"{BEYOND_LUNGS} {result.error}")
