"""A report as PDF: a page for each slice, a summary for each series, no name of any file."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from io import BytesIO

import numpy as np
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Spacer,
    Table,
)

from covidct.imaging.formats.png import encode_png
from covidct.inference.card import ModelCard
from covidct.inference.cases import SetAside
from covidct.inference.classifier import Prediction
from covidct.inference.heatmap import METHODS, HeatMap, overlay, paint
from covidct.inference.judge import Judged, Outcome, Refused, SeriesJudged
from covidct.inference.opacities import outlined
from covidct.messages import joined
from covidct.reports.drawing import (
    BODY,
    BOLD,
    CELLS,
    COLOURS,
    COUNTS,
    FLUSH,
    HEADING,
    INK,
    LINE,
    QUIET,
    REGULAR,
    SMALL,
    SMALL_RIGHT,
    SOFT,
    chart,
    decision,
    gauge,
    paragraph,
    terms,
)
from covidct.reports.slice_page import SlicePage
from covidct.reports.words import (
    CLASSES_OF_SERIES,
    NO_DECISION,
    NO_LUNGS,
    OUTSIDE_LUNGS,
    RESEARCH_USE,
    calibration_statement,
    classes_sentence,
    distrust,
    is_mostly_outside,
    percent,
    series_sentence,
    verdict_sentence,
    whose,
)

MOST_SUSPICIOUS = 5
TABLE_ROWS = 12
_WIDTH, _HEIGHT = A4
_MARGIN, _TOP, _FOOT, _GAP = 48, 128, 52, 11
_INNER = _WIDTH - 2 * _MARGIN
_SIDE = (_INNER - _GAP) / 2
_PIXELS = 1024  # of the longest side of a picture: 300 an inch
_STEPS = 256


class PDFReport:
    """Parts that are added one after the other, each on pages of its own under its title."""

    def __init__(self, card: ModelCard, made: datetime) -> None:
        self.card = card
        self._whose = list(filter(None, [whose(card)]))
        self._made = f"{made:%Y-%m-%d %H:%M}"
        self._parts: list[PageTemplate] = []
        self._story: list[Flowable] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._parts

    def finish(self) -> bytes:
        """The file; nothing can be added any more."""
        file = BytesIO()
        BaseDocTemplate(
            file,
            pagesize=A4,
            pageTemplates=self._parts,
            title="covidct report",
            author="covidct",
            creator="covidct",
            subject=RESEARCH_USE,
        ).build(self._story)
        return file.getvalue()

    def add_slice(self, page: SlicePage) -> None:
        """A page on one slice: pictures, verdict, probability, and what to know about them."""
        rows, columns = page.ct_slice.shape
        prediction, band = page.prediction, self.card.calibration.abstain_band
        verdict = [
            decision(
                prediction.decision,
                joined(
                    *distrust(page.heat.lung_share),
                    verdict_sentence(prediction, band),
                    *self._whose,
                ),
                _SIDE,
            ),
            "",
            gauge(prediction.probability, prediction.operating_point, band, _SIDE),
        ]
        self._add(
            page.title,
            f"{columns} × {rows} pixels, {page.ct_slice.source}",
            _pictures(page),
            Spacer(0, 14),
            Table([verdict], [_SIDE, _GAP, _SIDE], style=FLUSH),
            self._facts(
                [
                    *_found(prediction, page.opacities.findings.sentence),
                    *_about_heat(page.heat),
                ],
                page.ct_slice.notes,
            ),
        )

    def add_series(
        self, title: str, outcomes: Sequence[Outcome | SeriesJudged], notes: Sequence[str]
    ) -> None:
        """A page on a series: its verdict, its most suspicious slices, its probabilities.

        Args:
            title: which series it is.
            outcomes: of its slices in order, of what was set aside, and of the whole if any slice
                was judged.
            notes: on its order and completeness.
        """
        judged = [one for one in outcomes if isinstance(one, Judged)]
        of_slices = [one for one in outcomes if not isinstance(one, SeriesJudged)]
        slices = len({one.case.number for one in of_slices} - {None})
        wholes = [one for one in outcomes if isinstance(one, SeriesJudged)]
        verdict = [
            decision(
                whole.prediction.decision,
                joined(series_sentence(whole.prediction, whole.number), *self._whose),
                _INNER,
            )
            for whole in wholes
        ]
        facts = [
            fact
            for whole in wholes
            for fact in _found(whole.prediction, whole.opacities.sentence, CLASSES_OF_SERIES)
        ]
        self._add(
            title,
            f"{slices} slices, in order{_direction(of_slices)}",
            *verdict,
            Spacer(0, 8),
            paragraph(_counts(of_slices), COUNTS),
            *(self._figures(judged) if judged else ()),
            self._facts(facts, notes),
        )

    def _add(self, title: str, about: str, *content: Flowable) -> None:
        """A part, its title on each of its pages."""
        name = str(len(self._parts))
        frame = Frame(_MARGIN, _FOOT, _INNER, _HEIGHT - _TOP - _FOOT, 0, 0, 0, 0)
        self._parts.append(PageTemplate(name, [frame], partial(self._around, title, about)))
        if self._story:
            self._story += NextPageTemplate(name), PageBreak()
        self._story += content

    def _around(self, title: str, about: str, canvas: Canvas, document: BaseDocTemplate) -> None:
        """What stands on each page: program, notice and title above, model and number below."""
        left, right, top = _MARGIN, _WIDTH - _MARGIN, _HEIGHT - 52

        def write(x: float, y: float, text: str, font: str, size: float, colour: object) -> None:
            canvas.setFont(font, size)
            canvas.setFillColor(colour)
            (canvas.drawString if x < right else canvas.drawRightString)(x, y, text)

        for x, width, colour in ((left, _INNER, SOFT), (left, 3, COLOURS["Uncertain"])):
            canvas.setFillColor(colour)
            canvas.rect(x, top - 32, width, 20, stroke=0, fill=1)
        canvas.setStrokeColor(LINE)
        for y in (top - 64, _FOOT - 6):
            canvas.line(left, y, right, y)
        write(left, top, "covidct", BOLD, 15, INK)
        write(left + 72, top, "COVID-19 on chest CT slices", REGULAR, 9, QUIET)
        write(right, top, f"Made {self._made}", REGULAR, 8, QUIET)
        write(left + 11, top - 25, RESEARCH_USE, BOLD, 8, INK)
        write(left + 107, top - 25, NO_DECISION, REGULAR, 8, INK)
        write(left, top - 56, title, BOLD, 13, INK)
        write(right, top - 56, about, REGULAR, 8, QUIET)
        write(left, _FOOT - 17, f"Model {self.card.model_id}", REGULAR, 7, QUIET)
        write(right, _FOOT - 17, f"Page {document.page}", REGULAR, 7, QUIET)
        write(left, _FOOT - 27, f"SHA-256 {self.card.sha256}", REGULAR, 7, QUIET)

    def _figures(self, judged: Sequence[Judged]) -> Iterator[Flowable]:
        """The most suspicious slices as a table, then the probabilities of all."""
        ranked = most_suspicious(judged, TABLE_ROWS)
        some = f"The {len(ranked)} most suspicious of {len(judged)} slices"
        all_of_them = "All slices, the most suspicious first"
        yield paragraph(some if len(ranked) < len(judged) else all_of_them, HEADING)
        yield _slices_table(ranked)
        points = [
            (one.case.number, one.prediction.probability, one.prediction.decision)
            for one in judged
            if one.case.number is not None
        ]
        title = paragraph("Probability of COVID-19 of each slice", HEADING)
        point, band = self.card.calibration.operating_point, self.card.calibration.abstain_band
        yield KeepTogether([title, chart(points, point, band, (_INNER, 180))])

    def _facts(self, facts: Iterable[tuple[str, str]], notes: Sequence[str]) -> Flowable:
        """Terms beside what there is to say on them; on one page, unless they fill more."""
        told = [*facts, *(("Note", note) for note in notes)]
        told.append(("Calibration", calibration_statement(self.card)))
        return KeepTogether([Spacer(0, 14), terms(told, _INNER)])


def _pictures(page: SlicePage) -> Table:
    """Slice and overlay side by side with their captions and the colours of the overlay."""
    shown = page.ct_slice.at_most(_PIXELS)
    covered = overlay(shown, page.heat.resized(shown.shape), page.opacity, page.colormap)
    caption = f"What moved the score towards {page.prediction.label}"
    lines: list[list] = [
        [_picture(outlined(shown, page.opacities.mask)), "", _picture(covered)],
        [paragraph(_slice_caption(page.opacities.mask), SMALL), "", paragraph(caption, SMALL)],
    ]
    if not page.heat.is_empty:
        colours = Image(BytesIO(encode_png(_colours(page))), _SIDE, 5)
        ends = [paragraph("0, no evidence", SMALL), paragraph("this slice’s own peak", SMALL_RIGHT)]
        lines += ["", "", colours], ["", "", Table([ends], style=FLUSH)]
    look = [*FLUSH, ("ALIGN", (0, 0), (-1, -1), "CENTER")]
    return Table(lines, [_SIDE, _GAP, _SIDE], style=look)


def _slice_caption(opaque: np.ndarray) -> str:
    return "The slice, its opacities outlined" if opaque.any() else "The slice"


def _picture(pixels: np.ndarray) -> Image:
    return Image(BytesIO(encode_png(pixels)), _SIDE, _SIDE, "proportional")


def _slices_table(ranked: Sequence[Judged]) -> Table:
    """Slices in the order given; a column that none of them fills is left out."""
    columns = (
        ("Slice", *(str(one.case.number) for one in ranked)),
        ("Position", *map(_position, ranked)),
        ("Probability", *(percent(one.prediction.probability) for one in ranked)),
        ("Decision", *(one.prediction.decision for one in ranked)),
        ("Opaque", *(percent(one.opacities.share_of_lung) for one in ranked)),
        ("Heat map inside the lungs", *map(_inside, ranked)),
    )
    head, *lines = zip(*(column for column in columns if any(column[1:])), strict=True)
    cells = [
        [paragraph(said or "unknown", CELLS.get(said, BODY)) for said in line] for line in lines
    ]
    look = [("LINEABOVE", (0, 1), (-1, -1), 0.6, LINE), ("TOPPADDING", (0, 1), (-1, -1), 1.5)]
    return Table([[paragraph(title, SMALL) for title in head], *cells], style=[*FLUSH, *look])


def most_suspicious(
    outcomes: Iterable[Outcome | SeriesJudged], count: int = MOST_SUSPICIOUS
) -> list[Judged]:
    """The judged slices of the highest probabilities, the highest first."""
    judged = (one for one in outcomes if isinstance(one, Judged))
    return sorted(judged, key=lambda one: -one.prediction.probability)[:count]


def _found(
    prediction: Prediction, opacities: str, on_classes: str = ""
) -> Iterator[tuple[str, str]]:
    if prediction.classes:
        said = filter(None, (classes_sentence(prediction), on_classes))
        yield "Classes", joined(*said, by=". ")
    yield "Opacities", opacities


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


def _inside(one: Judged) -> str:
    return "" if one.lung_share is None else percent(one.lung_share)


def _direction(outcomes: Sequence[Outcome]) -> str:
    positions = (one.case.place.position_mm for one in outcomes)
    known = [position for position in positions if position is not None]
    return f" from the feet to the head, {known[0]:.1f} to {known[-1]:.1f} mm" if known else ""


def _colours(page: SlicePage) -> np.ndarray:
    """The colours of an overlay on white from no evidence to the peak, RGB uint8 (1, steps, 3)."""
    evidence = np.linspace(0, 1, _STEPS)[None]
    cover = page.opacity * evidence[..., None]
    colours = paint(evidence, page.colormap, page.heat.label)
    return np.rint(colours * cover + 255 * (1 - cover)).astype(np.uint8)
