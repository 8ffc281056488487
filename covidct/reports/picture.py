"""Overlays as PNG, which carry what they are: to be read below the picture, and in their file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from covidct.imaging.formats.png import encode_png
from covidct.reports.words import RESEARCH_USE, derivation, distrust, percent, whose

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard
    from covidct.reports.slice_page import SlicePage

_INK, _GROUND = "white", "black"
_LEAST_FONT, _FONTS_A_WIDTH = 10, 36  # pixels; as many letters' heights fit side by side


def overlay_png(picture: np.ndarray, card: ModelCard) -> bytes:
    """The file of an overlay.

    Args:
        picture: uint8 (H, W, 3), RGB, from :func:`covidct.inference.heatmap.overlay`.
        card: of the model that drew the evidence.

    Returns:
        A PNG file with the keywords Software and Description (PNG, third edition, 11.3.3.1).
    """
    return encode_png(picture, {"Software": "covidct", "Description": derivation(card)})


def captioned(picture: np.ndarray, page: SlicePage, card: ModelCard) -> np.ndarray:
    """A picture of a slice with its verdict and what it is for drawn below it.

    Args:
        picture: uint8 (H, W, 3), RGB; it stays as it is.
        page: the slice that it shows.
        card: of the model that gave the verdict.

    Returns:
        uint8 (H + h, W, 3).
    """
    rows, columns = picture.shape[:2]
    size = max(_LEAST_FONT, columns // _FONTS_A_WIDTH)
    font = ImageFont.load_default(size)
    verdict = f"{page.prediction.decision}, {percent(page.prediction.probability)}."
    told = [verdict, *distrust(page.heat.lung_share), whose(card), RESEARCH_USE, card.model_id]
    lines = _wrapped(" ".join(filter(None, told)), font, columns - 2 * size)
    height = round(1.4 * size)
    canvas = Image.new("RGB", (columns, rows + height * len(lines) + size), _GROUND)
    canvas.paste(Image.fromarray(picture))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((size, rows + size // 2 + number * height), line, _INK, font)
    return np.asarray(canvas)


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    """Text as lines of no more than this width, unless one word alone is longer."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
