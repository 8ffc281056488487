"""CTSlice, the one currency of the program."""

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from covidct.imaging.anatomy.density import lung_density
from covidct.imaging.anatomy.lungs import Figure, find_figure
from covidct.imaging.anatomy.segmentation import Segmenter, shipped_segmenter


@dataclass(frozen=True, eq=False)
class CTSlice:
    """One axial CT slice as grey pixels, free of any attribute of the file it came from.

    Attributes:
        pixels: uint8 (H, W), read-only; air dark and tissue bright, lung-windowed where the
            source has Hounsfield units.
        spacing_mm: distance between (rows, columns) in millimetres, or None where unknown.
        source: the format as a person would name it ("PNG", "DICOM"); shown, never computed with.
        notes: plain sentences for the user about how the pixels were obtained.
        colour_share: part of the picture, 0 to 1, that had colour before it was turned to grey;
            for the gate alone.
        segmenter: what finds its lungs and opacities; None is the shipped network.
    """

    pixels: np.ndarray
    spacing_mm: tuple[float, float] | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    colour_share: float = 0.0
    segmenter: Segmenter | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 2:
            raise ValueError(
                f"pixels must be uint8 (H, W), not {self.pixels.dtype} {self.pixels.shape}"
            )
        self.pixels.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape

    @cached_property
    def figure(self) -> Figure:
        """The slice without the white page around it, with its lungs and opacities; found once."""
        return find_figure(self.pixels, self.segmenter or shipped_segmenter())

    @cached_property
    def lung_density(self) -> float | None:
        """Median density of both lungs in Hounsfield units, as :func:`.density.lung_density`."""
        return lung_density(self.figure)

    @property
    def lung_mask(self) -> np.ndarray:
        """Both lungs, bool (H, W), as :attr:`Figure.lungs`."""
        return self.figure.lung_mask(self.shape)

    @property
    def opacity_map(self) -> np.ndarray:
        """The probability of an opacity, float32 (H, W), as :attr:`Figure.opacities`."""
        return self.figure.opacity_map(self.shape)

    def segmented_by(self, segmenter: Segmenter | None) -> "CTSlice":
        """The same slice, its lungs and opacities found by another network; None is the shipped."""
        return self if segmenter is self.segmenter else replace(self, segmenter=segmenter)

    def at_most(self, side: int) -> "CTSlice":
        """The slice reduced so that no side is longer than so many pixels, for a picture."""
        longest = max(self.shape)
        if longest <= side:
            return self
        rows, columns = (max(1, round(length * side / longest)) for length in self.shape)
        reduced = cv2.resize(self.pixels, (columns, rows), interpolation=cv2.INTER_AREA)
        return CTSlice(reduced, source=self.source, notes=self.notes)
