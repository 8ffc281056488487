"""Synthetic axial slices with lesions at known places, for tests and for a first look."""

from dataclasses import dataclass

import cv2
import numpy as np

from covidct.imaging.chest_drawing import (
    AIR,
    BLOOD,
    SIDE,
    X,
    Y,
    add_lesion,
    clouds,
    draw_body,
    draw_parenchyma,
    draw_trees,
    ellipse,
    paint,
)
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.window import lung_window
from covidct.messages import N_

NOTE = N_("Synthetic slice drawn by the program; it shows no patient.")


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A synthetic slice and where its lungs and lesions are, bool (H, W) each."""

    ct_slice: CTSlice
    lesion_mask: np.ndarray
    lung_mask: np.ndarray


def phantom_slice(seed: int, lesions: int = 0, size: int | tuple[int, int] = SIDE) -> Phantom:
    """Draw the slice of a patient who does not exist.

    Args:
        seed: decides the anatomy; lesions are added to it and change nothing else.
        lesions: number of ground-glass opacities, some with consolidation.
        size: (rows, columns) or the side of a square.
    """
    anatomy, disease, scanner = (np.random.default_rng([seed, i]) for i in range(3))
    body, lungs = draw_body(anatomy)
    parenchyma = draw_parenchyma(anatomy)
    vessels, airways = draw_trees(anatomy, lungs)
    affected = np.zeros_like(lungs)
    for _ in range(lesions):
        affected = np.maximum(affected, add_lesion(disease, parenchyma, lungs))
    paint(parenchyma, vessels, BLOOD)
    paint(parenchyma, airways, AIR)
    paint(body, lungs, parenchyma)

    layers = [_bend(layer, seed, fill) for layer, fill in ((body, AIR), (lungs, 0), (affected, 0))]
    layers[0] = _scan(layers[0], scanner)
    values, lung_cover, lesion_cover = (
        _fit(layer, size, fill) for layer, fill in zip(layers, (AIR, 0, 0), strict=True)
    )
    ct_slice = CTSlice(lung_window(values), None, "synthetic", (NOTE,))
    lung_mask = lung_cover > 0.5
    return Phantom(ct_slice, lung_mask & (lesion_cover > 0.5), lung_mask)


def _bend(layer: np.ndarray, seed: int, fill: float) -> np.ndarray:
    """Bend a layer as all others of this seed, since no patient is drawn with compasses."""
    rng = np.random.default_rng([seed, 3])
    columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    x, y = ((grid + 4.5 * clouds(rng, 110)).astype(np.float32) for grid in (columns, rows))
    return cv2.remap(layer.astype(np.float32), x, y, cv2.INTER_LINEAR, borderValue=float(fill))


def _scan(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a scanner adds: the table, a blur, noise that grows towards the middle."""
    shell = ellipse(0, 0.1, 0.97, 0.66, power=3) - ellipse(0, 0.1, 0.957, 0.647, power=3)
    paint(values, shell * (Y > 0.4) * (values < -900), -350)
    blurred = cv2.GaussianBlur(values, (0, 0), 0.75)
    noise = cv2.GaussianBlur(rng.standard_normal(values.shape), (0, 0), 0.8)
    return blurred + noise * (38 + 30 * np.exp(-2 * (X**2 + Y**2)))


def _fit(layer: np.ndarray, size: int | tuple[int, int], fill: float) -> np.ndarray:
    """The layer as large as it fits into `size`, in its middle."""
    rows, columns = (size, size) if isinstance(size, int) else size
    side = min(rows, columns)
    shrinking = cv2.INTER_AREA if side < SIDE else cv2.INTER_CUBIC
    fitted = np.full((rows, columns), fill, np.float32)
    top, left = (rows - side) // 2, (columns - side) // 2
    fitted[top : top + side, left : left + side] = cv2.resize(
        layer.astype(np.float32), (side, side), interpolation=shrinking
    )
    return fitted
