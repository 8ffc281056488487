"""Overlays as PNG, which carry in their file what they are and which model drew them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from covidct.imaging.formats.png import encode_png
from covidct.reports.words import derivation

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard


def overlay_png(picture: np.ndarray, card: ModelCard) -> bytes:
    """The file of an overlay.

    Args:
        picture: uint8 (H, W, 3), RGB, from :func:`covidct.inference.heatmap.overlay`.
        card: of the model that drew the evidence.

    Returns:
        A PNG file with the keywords Software and Description (PNG, third edition, 11.3.3.1).
    """
    return encode_png(picture, {"Software": "covidct", "Description": derivation(card)})
