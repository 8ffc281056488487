"""The row of downloads: all results, the slice's report, what an archive takes of it.

Each is made in memory when its button is pressed, and named without the name of any upload. The
functions that make them run without a session, so they are given all that they need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import streamlit as st

from covidct.errors import ExportError, UnreadableSlice
from covidct.messages import N_
from covidct.ui import strings
from covidct.ui.strings import _
from covidct.ui.widgets import download, hint, label

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard
    from covidct.inference.cases import Case
    from covidct.inference.classifier import Classifier
    from covidct.inference.judge import Outcome, SeriesJudged
    from covidct.reports.slice_page import SlicePage
    from covidct.ui.shared.slice_view import View

KEEP = "keep_identifiers"


def show(
    outcomes: Sequence[Outcome | SeriesJudged],
    classifier: Classifier,
    page: SlicePage | None = None,
    view: View | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Offer the files.

    Args:
        outcomes: of all slices on the page, and of series.
        classifier: that judged them.
        page: the slice on show; None where it could not be read.
        view: the same, with its file; given with ``page``.
        notes: on the order and completeness of the series.
    """
    label(_("Downloads"))
    card, unfit = classifier.card, ""
    row = st.container(horizontal=True, vertical_alignment="center", key="downloads")
    with row:
        _offer(_("Results, CSV"), "covidct-results.csv", "text/csv", lambda: _csv(outcomes, card))
        if page is None or view is None:
            return
        _offer(
            _("Report, PDF"),
            "covidct-slice.pdf",
            "application/pdf",
            lambda: _pdf(page, view.case, outcomes, notes, classifier),
        )
        _offer(_("Overlay, PNG"), "covidct-overlay.png", "image/png", lambda: _png(page, card))
        is_dicom = page.ct_slice.source == "DICOM"
        frame = view.case.place.frame
        kept = f"{KEEP} {view.case.content}"
        file = view.case.file if is_dicom and st.session_state.get(kept) else None
        source = file.read() if file else None
        _offer(
            _("Overlay, DICOM") if source is None else _("Overlay with patient, DICOM"),
            "covidct-overlay.dcm",
            "application/dicom",
            lambda: _capture(page, card, source, frame),
        )
        if is_dicom:
            of_series = [one for one in outcomes if _group(one) == view.case.group]
            unfit = _why_captures_alone(of_series) if source else ""
            _offer(
                _("Segmentation, report and map, DICOM"),
                "covidct-dicom.zip",
                "application/zip",
                lambda: _objects(classifier, of_series),
                disabled=not source or bool(unfit),
                help=_(strings.OBJECTS),
            )
            st.checkbox(_("With patient and study"), key=kept, help=_(strings.IDENTIFIERS))
    if unfit:
        hint(_(unfit))


def _group(outcome: Outcome | SeriesJudged) -> int:
    """The number of the series or file that it is of."""
    from covidct.inference.judge import SeriesJudged

    return outcome.group.number if isinstance(outcome, SeriesJudged) else outcome.case.group


def _why_captures_alone(outcomes: Sequence[Outcome | SeriesJudged]) -> str:
    """Why there are no other DICOM objects of a series; empty where they can be made.

    It is kept, since all headers are read for it.
    """
    from covidct.inference.judge import Judged
    from covidct.reports.dicom.sources import source_slices

    cases = [one.case for one in outcomes if isinstance(one, Judged)]
    key = [case.content for case in cases]
    if st.session_state.get("unfit", ([], ""))[0] != key:
        try:
            source_slices(cases)
            reason = ""
        except (ExportError, UnreadableSlice) as error:
            reason = error.message
        st.session_state["unfit"] = key, reason
    return st.session_state["unfit"][1]


def _offer(title: str, name: str, mime: str, make: Callable[[], bytes], **look: Any) -> None:  # noqa: ANN401
    download(title, name, mime, make, key=name, **look)


def _csv(outcomes: Sequence[Outcome | SeriesJudged], card: ModelCard) -> bytes:
    from covidct.reports.table import results_csv

    return results_csv(outcomes, card).encode(errors="backslashreplace")


def _pdf(
    page: SlicePage,
    opened: Case,
    outcomes: Sequence[Outcome | SeriesJudged],
    notes: Sequence[str],
    classifier: Classifier,
) -> bytes:
    """The slice on show; where it is of a series, first that and its most suspicious slices."""
    from covidct.inference.judge import Judged, SeriesJudged
    from covidct.reports.pdf import PDFReport
    from covidct.reports.series_pages import suspicious_pages

    report = PDFReport(classifier.card, datetime.now())
    slices = [outcome for outcome in outcomes if not isinstance(outcome, SeriesJudged)]
    numbered = [outcome.case for outcome in slices if outcome.case.number]
    is_series = len(numbered) > 1 and len({case.group for case in numbered}) == 1
    if is_series:
        judged = (outcome for outcome in slices if isinstance(outcome, Judged))
        of_slices = dict.fromkeys(note for outcome in judged for note in outcome.notes)
        report.add_series(N_("The series"), outcomes, [*notes, *of_slices])
    report.add_slice(page)
    if is_series:
        others = [one for one in slices if one.case is not opened]
        for suspicious in suspicious_pages(classifier, others, len(numbered)):
            report.add_slice(suspicious)
    return report.finish()


def _png(page: SlicePage, card: ModelCard) -> bytes:
    from covidct.reports.picture import captioned, overlay_png

    return overlay_png(captioned(_overlay(page), page, card), card)


def _capture(page: SlicePage, card: ModelCard, source: bytes | None, frame: int | None) -> bytes:
    from covidct.reports.secondary_capture import CaptureSeries, file_of

    capture = CaptureSeries(card, datetime.now()).capture(
        _overlay(page), 1, page.ct_slice.spacing_mm, source, frame
    )
    return file_of(capture)


def _objects(classifier: Classifier, outcomes: Sequence[Outcome | SeriesJudged]) -> bytes:
    from covidct.reports.dicom_results import files_of_series

    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for kind, data in files_of_series(classifier, outcomes):
            archive.writestr(f"{kind}.dcm", data)
    return buffer.getvalue()


def _overlay(page: SlicePage) -> np.ndarray:
    from covidct.inference.heatmap import overlay

    return overlay(page.ct_slice, page.heat, page.opacity, page.colormap)
