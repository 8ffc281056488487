"""A slice that somebody looks at closely; no Streamlit here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from covidct.imaging import CTSlice
from covidct.imaging.dicom.window import Window
from covidct.messages import N_, Message

if TYPE_CHECKING:
    from covidct.inference.cases import Case
    from covidct.inference.classifier import Classifier, PredictionWithCAM
    from covidct.inference.heatmap import HeatMap
    from covidct.inference.opacities import Opacities

_PLACES = (
    (N_("upper left"), N_("upper"), N_("upper right")),
    (N_("left"), N_("centre"), N_("right")),
    (N_("lower left"), N_("lower"), N_("lower right")),
)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A slice that is looked at closely, with the heat maps made for it so far.

    Attributes:
        case: where it comes from.
        ct_slice: what the network was given.
        predicted: its verdict and what that rests on.
        outside_use: why the slice lies outside the intended use, else empty.
    """

    case: Case
    ct_slice: CTSlice
    predicted: PredictionWithCAM
    outside_use: str = ""
    _hounsfield: list[np.ndarray | None] = field(default_factory=list)
    _maps: dict[str, HeatMap] = field(default_factory=dict)
    _opacities: list[Opacities] = field(default_factory=list)

    @property
    def hounsfield(self) -> np.ndarray | None:
        """int16 (H, W), read once, to be viewed in any window; None where there are none."""
        if not self._hounsfield:
            self._hounsfield.append(self.case.read_hounsfield())
        return self._hounsfield[0]

    def seen_in(self, window: Window) -> CTSlice:
        """The slice as a person sees it, in a window where there are Hounsfield units."""
        if self.hounsfield is None:
            return self.ct_slice
        return replace(self.ct_slice, pixels=window.apply(self.hounsfield))

    @property
    def opacities(self) -> Opacities:
        """What there is to see in the lungs."""
        from covidct.inference.opacities import opacities_of

        if not self._opacities:
            self._opacities.append(opacities_of(self.ct_slice))
        return self._opacities[0]

    def has_map(self, method: str) -> bool:
        """Whether a heat map is at hand without asking the network."""
        return method in self._maps

    def heat_map(self, classifier: Classifier, method: str) -> HeatMap:
        """The heat map of a method, made at most once."""
        from covidct.inference.heatmap import heat_map

        if method not in self._maps:
            self._maps[method] = heat_map(classifier, self.predicted, method)
        return self._maps[method]


def open_view(case: Case, classifier: Classifier, outside_use: str = "") -> View:
    """Read a case and ask the network, without asking the gate.

    Raises:
        UnreadableSlice: the file cannot be read.
    """
    ct_slice = classifier.segmented(case.read())
    return View(case, ct_slice, classifier.predict(ct_slice), outside_use)


def peak_place(values: np.ndarray) -> Message:
    """Where on the picture, not in the patient, a map (H, W) peaks: "upper left", "centre"…"""
    row, column = np.unravel_index(values.argmax(), values.shape)
    return _PLACES[3 * int(row) // values.shape[0]][3 * int(column) // values.shape[1]]
