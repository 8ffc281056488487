"""From a file that somebody dropped to what the page shows of it; no Streamlit here.

Imports of the inference floor wait for the first slice, so that a page is painted sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from covidct.errors import CovidCTError, NotALungSlice
from covidct.imaging import CTSlice
from covidct.imaging.gate import check_lung_slice
from covidct.imaging.window import Window

if TYPE_CHECKING:
    from covidct.imaging.series import Place
    from covidct.inference.classifier import Classifier, Evidence, Prediction
    from covidct.inference.heatmap import HeatMap
    from covidct.runtime.fair_queue import Waiting


@dataclass(frozen=True, slots=True)
class Case:
    """A slice to examine.

    Attributes:
        name: what the user calls it; shown literally and nowhere kept.
        content: identifies the content, whatever its name.
        read: gives the slice, or raises a CovidCTError.
        read_hounsfield: gives its Hounsfield units (H, W), or None where it has none.
        file: gives the bytes of its file, for identifiers that the user asks to keep; empty where
            there is none.
        place: where in a series it lies; None of a single picture.
    """

    name: str
    content: str
    read: Callable[[], CTSlice]
    read_hounsfield: Callable[[], np.ndarray | None] = lambda: None
    file: Callable[[], bytes] = bytes
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case came to, small enough to be kept for hundreds.

    Attributes:
        prediction: the verdict; None where the file was refused.
        lung_share: part of the default heat map that lies inside the lungs, None if unknown.
        notes: the reader's remarks.
        error: why the file was refused, else empty.
        readable: whether there is a picture that can be looked at all the same.
    """

    prediction: Prediction | None = None
    lung_share: float | None = None
    notes: tuple[str, ...] = ()
    error: str = ""
    readable: bool = True


CANCELLED = Outcome(error="Not looked at: this was cancelled.", readable=False)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A slice that is looked at closely, with the heat maps made for it so far.

    Attributes:
        case: where it comes from.
        ct_slice: what the network was given.
        evidence: its verdict and what that rests on.
        outside_use: why the slice lies outside the intended use, else empty.
    """

    case: Case
    ct_slice: CTSlice
    evidence: Evidence
    outside_use: str = ""
    _hounsfield: list[np.ndarray | None] = field(default_factory=list)
    _maps: dict[str, HeatMap] = field(default_factory=dict)

    @property
    def hounsfield(self) -> np.ndarray | None:
        """int16 (H, W), read once, to be viewed in any window; None where there are none."""
        if not self._hounsfield:
            self._hounsfield.append(self.case.read_hounsfield())
        return self._hounsfield[0]

    @property
    def frame(self) -> int | None:
        """Its number in a file of several frames, from 1."""
        return self.case.place.frame if self.case.place else None

    def seen_in(self, window: Window) -> CTSlice:
        """The slice as a person sees it, in a window where there are Hounsfield units."""
        if self.hounsfield is None:
            return self.ct_slice
        return replace(self.ct_slice, pixels=window.apply(self.hounsfield))

    def has_map(self, method: str) -> bool:
        """Whether a heat map is at hand without asking the network."""
        return method in self._maps

    def heat_map(self, classifier: Classifier, method: str) -> HeatMap:
        """The heat map of a method, made at most once."""
        from covidct.inference.heatmap import heat_map

        if method not in self._maps:
            self._maps[method] = heat_map(classifier, self.evidence, method)
        return self._maps[method]


def look(case: Case, classifier: Classifier, outside_use: str = "") -> View:
    """Read a case and ask the network, without asking the gate.

    Raises:
        CovidCTError: the file cannot be read.
    """
    ct_slice = case.read()
    return View(case, ct_slice, classifier.look(ct_slice), outside_use)


def judge(
    case: Case, classifier: Classifier, waiting: Waiting | None = None
) -> tuple[Outcome, View | None]:
    """The verdict on a case and the slice it was given on, or why there is none.

    Args:
        case: the slice.
        classifier: the network.
        waiting: told how many slices of others are ahead, while there are any.
    """
    from covidct.inference.heatmap import DEFAULT

    try:
        ct_slice = check_lung_slice(case.read())
        view = View(case, ct_slice, classifier.look(ct_slice, waiting))
    except NotALungSlice as refusal:
        return Outcome(error=str(refusal)), None
    except CovidCTError as error:
        return Outcome(error=str(error), readable=False), None
    share = view.heat_map(classifier, DEFAULT).lung_share
    return Outcome(view.evidence.prediction, share, view.ct_slice.notes), view


def peak_place(values: np.ndarray) -> str:
    """Where on the picture, not in the patient, a map (H, W) peaks: "upper left", "centre"…"""
    row, column = np.unravel_index(values.argmax(), values.shape)
    vertical = ("upper", "", "lower")[3 * int(row) // values.shape[0]]
    horizontal = ("left", "", "right")[3 * int(column) // values.shape[1]]
    return f"{vertical} {horizontal}".strip() or "centre"
