"""Styles, texts and drawings of the PDF report, in points."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from reportlab.graphics.charts.lineplots import LinePlot
from reportlab.graphics.shapes import Circle, Drawing, Line, Rect, Shape, String
from reportlab.graphics.widgets.markers import makeMarker
from reportlab.lib.colors import HexColor, white
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, Table

from covidct.reports.words import percent, uncertain_from_to

REGULAR, BOLD = "Vera", "VeraBd"  # reportlab brings them along, with what Latin texts need
for _font in (REGULAR, BOLD):
    pdfmetrics.registerFont(TTFont(_font, f"{_font}.ttf"))

INK, QUIET = HexColor("#14242b"), HexColor("#55666e")
LINE, SOFT, BAND = HexColor("#d3dde0"), HexColor("#f0f4f5"), HexColor("#c3ccd0")
COLOURS = {  # of decisions, as on the pages
    "Positive": HexColor("#a4431b"),
    "Negative": HexColor("#0e6173"),
    "Uncertain": HexColor("#4f5b61"),
}
_TICKS, _ROUND = 8, (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_AXIS = 28  # left of and below a chart
_TERMS = 92


def _style(size: float, colour: HexColor = INK, **more: object) -> ParagraphStyle:
    look = {"fontName": REGULAR, "leading": 1.42 * size} | more
    return ParagraphStyle("", fontSize=size, textColor=colour, **look)


BODY, COUNTS, SMALL = _style(8.5), _style(10), _style(7.5, QUIET)
SMALL_RIGHT = _style(7.5, QUIET, alignment=TA_RIGHT)
HEADING = _style(9, fontName=BOLD, spaceBefore=12, spaceAfter=4)
DECISIONS = {
    name: _style(24, colour, fontName=BOLD, leading=30) for name, colour in COLOURS.items()
}
CELLS = {name: _style(8.5, colour) for name, colour in COLOURS.items()}
FLUSH = [
    *(("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 0)),
    *(("TOPPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 2)),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
]


def paragraph(text: str, how: ParagraphStyle = BODY) -> Paragraph:
    """Text that is taken literally, wherever it comes from."""
    return Paragraph(escape(text), how)


def decision(decision: str, sentence: str, width: float) -> Table:
    """A decision in one word and in a sentence."""
    bar = ("LINEBEFORE", (0, 0), (0, -1), 4, COLOURS[decision])
    cell = [paragraph(decision, DECISIONS[decision]), paragraph(sentence)]
    return Table([[cell]], [width], style=[*FLUSH, bar, ("LEFTPADDING", (0, 0), (-1, -1), 12)])


def terms(told: Sequence[tuple[str, str]], width: float) -> Table:
    """Terms in a narrow column beside what there is to say on them."""
    lines = [[paragraph(term, SMALL), paragraph(said)] for term, said in told]
    look = [
        *FLUSH,
        ("LINEABOVE", (0, 0), (-1, -1), 0.6, LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 4),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
    ]
    return Table(lines, [_TERMS, width - _TERMS], style=look, splitInRow=1)


def gauge(
    probability: float, operating_point: float, abstain_band: tuple[float, float], width: float
) -> Drawing:
    """A probability on a scale with the operating point and the abstain band.

    Args:
        probability: 0 to 1, as are the following.
        operating_point: from which a slice is called Positive.
        abstain_band: where the model does not commit itself.
        width: of the scale.
    """
    track, thick = 24, 9
    at, threshold, low, high = (
        share * width for share in (probability, operating_point, *abstain_band)
    )
    return Drawing(
        width,
        60,
        _label("Probability of COVID-19", 0, 52, 7.5),
        _label(percent(probability), at, track + thick + 6, 12, INK, BOLD, probability),
        _box(0, track, width, thick, SOFT),
        _box(threshold, track, width - threshold, thick, HexColor("#ecd5ca")),
        _box(low, track, high - low, thick, BAND),
        Line(threshold, track - 4, threshold, track + thick + 2, strokeColor=QUIET),
        Circle(at, track + thick / 2, 5, fillColor=INK, strokeColor=white, strokeWidth=0.5),
        _label(
            f"operating point {percent(operating_point)}",
            threshold,
            track - 12,
            anchor=operating_point,
        ),
        _label("0% · Negative", 0, track - 22),
        *_named_band(abstain_band, width, track - 22),
        _label("Positive · 100%", width, track - 22, anchor=1),
    )


def _named_band(abstain_band: tuple[float, float], width: float, y: float) -> tuple[Shape, ...]:
    """What the band on a gauge is called, beside its colour; nothing where there is none."""
    low, high = abstain_band
    if low == high:
        return ()
    text = uncertain_from_to(abstain_band)
    middle = (width - pdfmetrics.stringWidth(text, REGULAR, 7)) / 2
    return _box(middle - 13, y, 10, 5, BAND), _label(text, middle, y)


def chart(
    points: Sequence[tuple[int, float, str]],
    operating_point: float,
    abstain_band: tuple[float, float],
    size: tuple[float, float],
) -> Drawing:
    """Probabilities along a series.

    Args:
        points: number of the slice from 1, probability and decision of each.
        operating_point: 0 to 1, drawn as a line.
        abstain_band: 0 to 1, drawn as a band.
        size: width and height with the axes.
    """
    last = max(number for number, _, _ in points)
    plot = LinePlot()
    plot.x = plot.y = _AXIS
    plot.width, plot.height = size[0] - _AXIS, size[1] - _AXIS
    decisions = {decision: None for _, _, decision in points}
    plot.data = [
        [(0.5, operating_point), (last + 0.5, operating_point)],
        [point[:2] for point in points],
        *([point[:2] for point in points if point[2] == decision] for decision in decisions),
    ]
    plot.lines[0].strokeColor, plot.lines[0].strokeDashArray = QUIET, (4, 3)
    plot.lines[1].strokeColor = HexColor("#a9b8bd")
    for line, decision in enumerate(decisions, 2):
        plot.lines[line].strokeColor = None
        plot.lines[line].symbol = makeMarker(
            "FilledCircle", size=4.4, fillColor=COLOURS[decision], strokeColor=white
        )
    for axis in (plot.xValueAxis, plot.yValueAxis):
        axis.strokeColor = axis.gridStrokeColor = LINE
        axis.labels.fontName, axis.labels.fontSize, axis.labels.fillColor = REGULAR, 7, QUIET
    plot.xValueAxis.valueMin, plot.xValueAxis.valueMax = 0.5, last + 0.5
    step = next((step for step in _ROUND if last <= _TICKS * step), _ROUND[-1])
    plot.xValueAxis.valueSteps = sorted({1, *range(step, last + 1, step)})
    plot.xValueAxis.labelTextFormat = "%d"
    plot.yValueAxis.valueMin, plot.yValueAxis.valueMax, plot.yValueAxis.valueStep = 0, 1, 0.25
    plot.yValueAxis.labelTextFormat = "{:.0%}".format
    plot.yValueAxis.visibleGrid = True
    low, high = (_AXIS + edge * plot.height for edge in abstain_band)
    band = _box(_AXIS, low, plot.width, high - low, BAND)
    point = percent(operating_point)
    below = f"Number of the slice. The dashed line is the operating point, {point}."
    if abstain_band[1] > abstain_band[0]:
        below += f" The band: {uncertain_from_to(abstain_band)}."
    return Drawing(*size, band, plot, _label(below, _AXIS, 4, 7.5))


def _box(x: float, y: float, width: float, height: float, colour: HexColor) -> Rect:
    return Rect(x, y, width, height, fillColor=colour, strokeColor=None)


def _label(
    text: str,
    x: float,
    y: float,
    size: float = 7,
    colour: HexColor = QUIET,
    font: str = REGULAR,
    anchor: float = 0,
) -> String:
    """One line on the baseline `y`; `anchor` is the part of it that lies left of `x`."""
    left = x - anchor * pdfmetrics.stringWidth(text, font, size)
    return String(left, y, text, fontName=font, fontSize=size, fillColor=colour)
