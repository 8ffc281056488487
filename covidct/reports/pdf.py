"""A report as PDF: a page for each slice, a summary for each series, no name of any file."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from io import BytesIO

import numpy as np
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from covidct.inference.card import ModelCard
from covidct.inference.cases import SetAside
from covidct.inference.heatmap import METHODS, HeatMap, overlay, paint
from covidct.inference.judge import Judged, Outcome, Refused, SeriesJudged
from covidct.reports.drawing import (
    BODY,
    BOLD,
    COLOURS,
    INK,
    LINE,
    QUIET,
    SMALL,
    SOFT,
    Sheet,
    style,
    wrapped,
)
from covidct.reports.slice_page import SlicePage
from covidct.reports.words import (
    NO_DECISION,
    NO_LUNGS,
    OUTSIDE_LUNGS,
    RESEARCH_USE,
    calibration_statement,
    is_mostly_outside,
    percent,
    series_sentence,
    verdict_sentence,
)

MOST_SUSPICIOUS = 5
TABLE_ROWS = 12
_WIDTH, _HEIGHT = A4
_MARGIN, _GAP = 48, 11
_INNER = _WIDTH - 2 * _MARGIN
_FOOT = 46
_SIDE = (_INNER - _GAP) / 2
_PIXELS = 1024  # of the longest side of a picture: 300 an inch
_TERMS = 92
_STEPS = 256


class PDFReport:
    """Pages that are added one after the other; nothing but what they show is kept of a slice."""

    def __init__(self, card: ModelCard, made: datetime) -> None:
        self.card = card
        self.pages = 0
        self._made = f"{made:%Y-%m-%d %H:%M}"
        self._file = BytesIO()
        self._canvas = Canvas(self._file, pagesize=A4, pageCompression=1)
        self._canvas.setTitle("covidct report")
        self._canvas.setAuthor("covidct")
        self._canvas.setCreator("covidct")
        self._canvas.setSubject(RESEARCH_USE)
        self._sheet = Sheet(self._canvas)

    def finish(self) -> bytes:
        """The file; no page can be added any more."""
        self._canvas.save()
        return self._file.getvalue()

    def add_slice(self, page: SlicePage) -> None:
        """A page on one slice: pictures, verdict, probability, and what to know about them."""
        rows, columns = page.ct_slice.shape
        about = f"{columns} × {rows} pixels, {page.ct_slice.source}"
        top = self._head(page.title, about)
        top = self._pictures(page, top) - 18
        calibration = self.card.calibration
        sentence = verdict_sentence(page.prediction, calibration.abstain_band)
        lower = self._decision(page.prediction.decision, sentence, top, _SIDE)
        x = _MARGIN + _SIDE + _GAP
        self._sheet.line_of_text("Probability of COVID-19", x, top - 7, 7.5, QUIET)
        gauge = self._sheet.gauge(
            page.prediction.probability,
            page.prediction.operating_point,
            calibration.abstain_band,
            (x, top - 9, _SIDE),
        )
        facts = [*_about_heat(page.heat), *self._about_model(page.ct_slice.notes)]
        self._facts(facts, min(lower, gauge) - 16)
        self._end_page()

    def add_series(
        self, title: str, outcomes: Sequence[Outcome | SeriesJudged], notes: Sequence[str]
    ) -> None:
        """A page on a series: its verdict, its probabilities, its most suspicious slices.

        Args:
            title: which series it is.
            outcomes: of its slices in order, of what was set aside, and of the whole if any slice
                was judged.
            notes: on its order and completeness.
        """
        judged = [one for one in outcomes if isinstance(one, Judged)]
        of_slices = [one for one in outcomes if not isinstance(one, SeriesJudged)]
        slices = len({one.case.number for one in of_slices} - {None})
        top = self._head(title, f"{slices} slices, in order{_direction(of_slices)}")
        calibration = self.card.calibration
        for whole in outcomes:
            if isinstance(whole, SeriesJudged):
                sentence = series_sentence(whole.prediction, whole.number)
                top = self._decision(whole.prediction.decision, sentence, top, _INNER) - 12
        top = self._sheet.paragraph(_counts(of_slices), _MARGIN, top, _INNER, style(10))
        if judged:
            self._sheet.line_of_text(
                "Probability of COVID-19 of each slice", _MARGIN, top - 20, 9, INK, BOLD
            )
            self._sheet.chart(
                [
                    (one.case.number, one.prediction.probability, one.prediction.decision)
                    for one in judged
                    if one.case.number is not None
                ],
                calibration.operating_point,
                calibration.abstain_band,
                (_MARGIN + 28, top - 178, _INNER - 28, 144),
            )
            point = percent(calibration.operating_point)
            axis = f"Number of the slice. The dashed line is the operating point, {point}."
            self._sheet.line_of_text(axis, _MARGIN + 28, top - 200, 7.5, QUIET)
            top = self._table(judged, top - 222)
        self._facts(list(self._about_model(notes)), top - 14)
        self._end_page()

    def _head(self, title: str, about: str) -> float:
        """Name, notice and title; where the content begins."""
        sheet, top = self._sheet, _HEIGHT - 40
        sheet.line_of_text("covidct", _MARGIN, top - 12, 15, INK, BOLD)
        sheet.line_of_text("COVID-19 on chest CT slices", _MARGIN + 72, top - 12, 9, QUIET)
        sheet.line_of_text(f"Made {self._made}", _WIDTH - _MARGIN, top - 12, 8, QUIET, anchor=1)
        top -= 24
        sheet.rectangle(_MARGIN, top - 20, _INNER, 20, SOFT)
        sheet.rectangle(_MARGIN, top - 20, 3, 20, COLOURS["Uncertain"])
        sheet.line_of_text(RESEARCH_USE, _MARGIN + 11, top - 13, 8, INK, BOLD)
        sheet.line_of_text(NO_DECISION, _MARGIN + 107, top - 13, 8)
        top -= 44
        sheet.line_of_text(title, _MARGIN, top, 13, INK, BOLD)
        sheet.line_of_text(about, _WIDTH - _MARGIN, top, 8, QUIET, anchor=1)
        sheet.rule((_MARGIN, top - 8), (_WIDTH - _MARGIN, top - 8))
        return top - 18

    def _end_page(self) -> None:
        self.pages += 1
        sheet = self._sheet
        sheet.rule((_MARGIN, _FOOT), (_WIDTH - _MARGIN, _FOOT))
        sheet.line_of_text(f"Model {self.card.model_id}", _MARGIN, _FOOT - 12, 7, QUIET)
        number = f"Page {self.pages}"
        sheet.line_of_text(number, _WIDTH - _MARGIN, _FOOT - 12, 7, QUIET, anchor=1)
        self._canvas.showPage()

    def _decision(self, decision: str, sentence: str, top: float, width: float) -> float:
        """A decision in one word and in a sentence; the lower edge."""
        colour = COLOURS[decision]
        self._sheet.line_of_text(decision, _MARGIN + 12, top - 21, 24, colour, BOLD)
        lower = self._sheet.paragraph(sentence, _MARGIN + 12, top - 29, width - 12)
        self._sheet.rectangle(_MARGIN, lower - 2, 4, top - lower + 2, colour)
        return lower

    def _pictures(self, page: SlicePage, top: float) -> float:
        """Slice and overlay side by side with their captions; their lower edge."""
        shown = page.ct_slice.at_most(_PIXELS)
        rows, columns = shown.shape
        scale = _SIDE / max(rows, columns)
        width, height = columns * scale, rows * scale
        covered = overlay(shown, page.heat.resized(shown.shape), page.opacity, page.colormap)
        right, end = _MARGIN + _SIDE + _GAP, _WIDTH - _MARGIN
        for x, pixels, caption in (
            (_MARGIN, shown.pixels, "The slice"),
            (right, covered, f"What moved the score towards {page.prediction.label}"),
        ):
            self._sheet.picture(pixels, x + (_SIDE - width) / 2, top, width, height)
            self._sheet.line_of_text(caption, x, top - height - 11, 7.5, QUIET)
        lower = top - height - 17
        if not page.heat.is_empty:
            colours = _colours(page.opacity, page.colormap)
            self._sheet.picture(colours, right, lower, _SIDE, 5)
            self._sheet.line_of_text("0, no evidence", right, lower - 13, 7, QUIET)
            self._sheet.line_of_text("this slice’s own peak", end, lower - 13, 7, QUIET, anchor=1)
        return lower - 13

    def _table(self, judged: Sequence[Judged], top: float) -> float:
        """The most suspicious slices; the lower edge."""
        ranked = most_suspicious(judged, TABLE_ROWS)
        title = f"The {len(ranked)} most suspicious of {len(judged)} slices"
        self._sheet.line_of_text(
            title if len(ranked) < len(judged) else "All slices, the most suspicious first",
            _MARGIN,
            top,
            9,
            INK,
            BOLD,
        )
        lines = [
            (
                str(one.case.number),
                _position(one),
                percent(one.prediction.probability),
                one.prediction.decision,
                "unknown" if one.lung_share is None else percent(one.lung_share),
            )
            for one in ranked
        ]
        head = ("Slice", "Position", "Probability", "Decision", "Heat map inside the lungs")
        edges = [_MARGIN + at for at in (0, 60, 150, 240, 330)] + [_WIDTH - _MARGIN]
        return self._sheet.table(head, lines, edges, top - 5)

    def _about_model(self, notes: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Terms and what there is to say on them, at the end of each page."""
        if notes:
            yield "Notes", " ".join(notes)
        yield "Calibration", calibration_statement(self.card)
        yield "Model", self.card.model_id
        yield "SHA-256", self.card.sha256

    def _facts(self, facts: Sequence[tuple[str, str]], top: float) -> None:
        """Terms in a narrow column beside their texts, on further pages where there are many."""
        for term, text in facts:
            _, height = wrapped(text, BODY).wrap(_INNER - _TERMS, _HEIGHT)
            if top - height - 12 < _FOOT:
                self._end_page()
                top = self._head("Continued", "")
            self._sheet.rule((_MARGIN, top), (_WIDTH - _MARGIN, top), LINE)
            self._sheet.paragraph(term, _MARGIN, top - 6, _TERMS, SMALL)
            top = self._sheet.paragraph(text, _MARGIN + _TERMS, top - 5, _INNER - _TERMS) - 6


def most_suspicious(
    outcomes: Iterable[Outcome | SeriesJudged], count: int = MOST_SUSPICIOUS
) -> list[Judged]:
    """The judged slices of the highest probabilities, the highest first."""
    judged = (one for one in outcomes if isinstance(one, Judged))
    return sorted(judged, key=lambda one: -one.prediction.probability)[:count]


def _about_heat(heat: HeatMap) -> Iterator[tuple[str, str]]:
    method = METHODS[heat.method]
    if heat.is_empty:
        yield "Heat map", f"{method.title}: no place on the slice speaks for {heat.label}."
        return
    yield (
        "Heat map",
        f"{method.title}: {method.description} It shows what moved the score towards {heat.label} "
        "and is not an outline of disease.",
    )
    if heat.lung_share is None:
        yield "Lungs", NO_LUNGS
        return
    flag = f" {OUTSIDE_LUNGS}" if is_mostly_outside(heat.lung_share) else ""
    yield "Lungs", f"{percent(heat.lung_share)} of the map lies inside the lungs.{flag}"


def _counts(outcomes: Sequence[Outcome]) -> str:
    """How many slices came to which decision."""
    decisions = Counter(one.prediction.decision for one in outcomes if isinstance(one, Judged))
    counts = [f"{decisions[name]} {name}" for name in COLOURS if decisions[name]]
    for kind, what in (
        (Refused, "refused"),
        (SetAside, "set aside (beyond the lungs, not axial, or duplicates)"),
    ):
        if count := sum(isinstance(one, kind) for one in outcomes):
            counts.append(f"{count} {what}")
    return f"{', '.join(counts)}."


def _position(one: Judged) -> str:
    position = one.case.place.position_mm
    return "" if position is None else f"{position:.1f} mm"


def _direction(outcomes: Sequence[Outcome]) -> str:
    positions = (one.case.place.position_mm for one in outcomes)
    known = [position for position in positions if position is not None]
    return f" from the feet to the head, {known[0]:.1f} to {known[-1]:.1f} mm" if known else ""


def _colours(opacity: float, colormap: str) -> np.ndarray:
    """The colours of an overlay on white from no evidence to the peak, RGB uint8 (1, steps, 3)."""
    evidence = np.linspace(0, 1, _STEPS)[None]
    cover = opacity * evidence[..., None]
    return np.rint(paint(evidence, colormap) * cover + 255 * (1 - cover)).astype(np.uint8)
