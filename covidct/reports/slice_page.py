"""What a page on one slice shows; apart from the PDF, so that a verdict needs no PDF library."""

from dataclasses import dataclass

from covidct.imaging.ct_slice import CTSlice
from covidct.inference.classifier import Prediction
from covidct.inference.heatmap import BY_CLASS, HeatMap
from covidct.inference.opacities import Opacities


@dataclass(frozen=True, slots=True, eq=False)
class SlicePage:
    """What a page on one slice tells.

    Attributes:
        title: which slice it is, without the name of its file.
        ct_slice: as it is shown.
        prediction: the verdict.
        opacities: what there is to see in the lungs.
        heat: the heat map.
        opacity: 0 to 1, of the map at its peak.
        colormap: a key of :data:`covidct.inference.heatmap.COLORMAPS`.
    """

    title: str
    ct_slice: CTSlice
    prediction: Prediction
    opacities: Opacities
    heat: HeatMap
    opacity: float = 0.5
    colormap: str = BY_CLASS
