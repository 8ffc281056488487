"""Overlays as PNG, which carry in their file what they are and which model drew them."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from covidct.reports.words import derivation

if TYPE_CHECKING:
    from covidct.inference.store import ModelCard


def overlay_png(picture: np.ndarray, card: ModelCard) -> bytes:
    """The file of an overlay.

    Args:
        picture: uint8 (H, W, 3), RGB, from :func:`covidct.inference.heatmap.overlay`.
        card: of the model that drew the evidence.

    Returns:
        A PNG file with the keywords Software and Description (PNG, third edition, 11.3.3.1).
    """
    about = PngInfo()
    about.add_text("Software", "covidct")
    about.add_text("Description", derivation(card))
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG", pnginfo=about)
    return file.getvalue()
