"""Shapes and texts on a PDF page, in points from its lower left corner."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image
from reportlab.lib.colors import HexColor, white
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from covidct.reports.words import percent

REGULAR, BOLD = "Vera", "VeraBd"  # reportlab brings them along, with what Latin texts need
for _font in (REGULAR, BOLD):
    pdfmetrics.registerFont(TTFont(_font, f"{_font}.ttf"))

INK, QUIET = HexColor("#14242b"), HexColor("#55666e")
LINE, SOFT = HexColor("#d3dde0"), HexColor("#f0f4f5")
COLOURS = {  # of decisions, as on the pages
    "Positive": HexColor("#a4431b"),
    "Negative": HexColor("#0e6173"),
    "Uncertain": HexColor("#6a5a12"),
}
_TRACK = 9
_DOT = 2.2


def style(size: float, colour: HexColor = INK, font: str = REGULAR) -> ParagraphStyle:
    """The style of a paragraph."""
    name = f"{font} {size} {colour}"
    return ParagraphStyle(name, fontName=font, fontSize=size, leading=1.42 * size, textColor=colour)


BODY, SMALL = style(8.5), style(7.5, QUIET)


class Sheet:
    """A page that is being drawn.

    Attributes:
        canvas: reportlab's.
    """

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas

    def line_of_text(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        colour: HexColor = INK,
        font: str = REGULAR,
        anchor: float = 0,
    ) -> None:
        """One line on the baseline `y`; `anchor` is the part of it that lies left of `x`."""
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(colour)
        self.canvas.drawString(x - anchor * pdfmetrics.stringWidth(text, font, size), y, text)

    def paragraph(
        self, text: str, x: float, top: float, width: float, how: ParagraphStyle = BODY
    ) -> float:
        """Wrapped text below `top`; its lower edge."""
        paragraph = wrapped(text, how)
        _, height = paragraph.wrap(width, top)
        paragraph.drawOn(self.canvas, x, top - height)
        return top - height

    def rectangle(self, x: float, y: float, width: float, height: float, colour: HexColor) -> None:
        """A filled rectangle."""
        self.canvas.setFillColor(colour)
        self.canvas.rect(x, y, width, height, stroke=0, fill=1)

    def rule(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        colour: HexColor = LINE,
        width: float = 0.6,
        dash: Sequence[float] = (),
    ) -> None:
        """A straight line."""
        self.canvas.setStrokeColor(colour)
        self.canvas.setLineWidth(width)
        self.canvas.setDash(list(dash))
        self.canvas.line(*start, *end)
        self.canvas.setDash([])

    def dot(self, x: float, y: float, colour: HexColor, radius: float = _DOT) -> None:
        """A filled circle with a white rim."""
        self.canvas.setFillColor(colour)
        self.canvas.setStrokeColor(white)
        self.canvas.setLineWidth(0.5)
        self.canvas.circle(x, y, radius, stroke=1, fill=1)

    def picture(
        self, pixels: np.ndarray, x: float, top: float, width: float, height: float
    ) -> None:
        """Pixels, grey uint8 (H, W) or RGB (H, W, 3), stretched to a frame below `top`."""
        image = ImageReader(Image.fromarray(np.ascontiguousarray(pixels)))
        self.canvas.drawImage(image, x, top - height, width, height)

    def gauge(
        self,
        probability: float,
        operating_point: float,
        abstain_band: tuple[float, float],
        box: tuple[float, float, float],
    ) -> float:
        """A probability on a scale with the operating point and the abstain band; its lower edge.

        Args:
            probability: 0 to 1, as are the following.
            operating_point: from which a slice is called Positive.
            abstain_band: where the model does not commit itself.
            box: left edge, top and width.
        """
        left, top, width = box
        track = top - 26
        at, threshold = left + probability * width, left + operating_point * width
        self.rectangle(left, track, width, _TRACK, SOFT)
        self.rectangle(threshold, track, left + width - threshold, _TRACK, HexColor("#ecd5ca"))
        low, high = (left + edge * width for edge in abstain_band)
        self.rectangle(low, track, high - low, _TRACK, HexColor("#e4d9a4"))
        self.rule((threshold, track - 4), (threshold, track + _TRACK + 2), QUIET, 1)
        self.dot(at, track + _TRACK / 2, INK, 5)
        reading = percent(probability)
        self.line_of_text(reading, at, track + _TRACK + 5, 12, INK, BOLD, probability)
        name = f"operating point {percent(operating_point)}"
        self.line_of_text(name, threshold, track - 12, 7, QUIET, anchor=operating_point)
        self.line_of_text("0% · Negative", left, track - 22, 7, QUIET)
        self.line_of_text("Positive · 100%", left + width, track - 22, 7, QUIET, anchor=1)
        return track - 24

    def chart(
        self,
        points: Sequence[tuple[int, float, str]],
        operating_point: float,
        abstain_band: tuple[float, float],
        box: tuple[float, float, float, float],
    ) -> None:
        """Probabilities along a series.

        Args:
            points: number of the slice from 1, probability and decision of each.
            operating_point: 0 to 1, drawn as a line.
            abstain_band: 0 to 1, drawn as a band.
            box: left and lower edge, width and height of the plot.
        """
        left, bottom, width, height = box
        last = max(number for number, _, _ in points)

        def place(number: float, probability: float) -> tuple[float, float]:
            return left + width * (number - 0.5) / last, bottom + height * probability

        low, high = abstain_band
        self.rectangle(
            left, bottom + low * height, width, (high - low) * height, HexColor("#f1ecd2")
        )
        for share in (0, 0.25, 0.5, 0.75, 1):
            y = bottom + share * height
            self.rule((left, y), (left + width, y))
            self.line_of_text(f"{share:.0%}", left - 5, y - 2.5, 7, QUIET, anchor=1)
        for number in _ticks(last):
            x, _ = place(number, 0)
            self.rule((x, bottom), (x, bottom - 3))
            self.line_of_text(str(number), x, bottom - 11, 7, QUIET, anchor=0.5)
        y = bottom + operating_point * height
        self.rule((left, y), (left + width, y), QUIET, 0.9, (4, 3))
        for (a, at_a, _), (b, at_b, _) in pairwise(points):
            self.rule(place(a, at_a), place(b, at_b), HexColor("#a9b8bd"), 0.8)
        for number, probability, decision in points:
            self.dot(*place(number, probability), COLOURS[decision])

    def table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        edges: Sequence[float],
        top: float,
    ) -> float:
        """Short texts in columns that start at `edges`, whose last is the right end; lower edge."""
        for title, x in zip(head, edges, strict=False):
            self.line_of_text(title, x, top - 9, 7.5, QUIET)
        y = top - 14
        for row in rows:
            self.rule((edges[0], y), (edges[-1], y))
            for text, x in zip(row, edges, strict=False):
                self.line_of_text(text, x, y - 10.5, 8.5, COLOURS.get(text, INK))
            y -= 15
        return y


def wrapped(text: str, how: ParagraphStyle) -> Paragraph:
    """Text that is taken literally, wherever it comes from."""
    return Paragraph(escape(text), how)


def _ticks(last: int) -> list[int]:
    """About eight round numbers up to the last one, 1 among them."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if last <= 8 * s or s == 1000)
    return [1, *range(step, last + 1, step)] if step > 1 else list(range(1, last + 1))
