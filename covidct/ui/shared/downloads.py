"""The row of downloads: all results, the slice's report, its overlay for an archive.

Each is made in memory when its button is pressed, and named without the name of any upload. The
functions that make them run without a session, so they are given all that they need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from covidct.messages import N_
from covidct.ui import strings
from covidct.ui.strings import _
from covidct.ui.widgets import download, label

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard
    from covidct.inference.judge import Outcome, SeriesJudged
    from covidct.reports.slice_page import SlicePage
    from covidct.ui.shared.slice_view import View

KEEP = "keep_identifiers"


def show(
    outcomes: Sequence[Outcome | SeriesJudged],
    card: ModelCard,
    page: SlicePage | None = None,
    view: View | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Offer the files.

    Args:
        outcomes: of all slices on the page, and of series.
        card: of the model that judged them.
        page: the slice on show; None where it could not be read.
        view: the same, with its file; given with ``page``.
        notes: on the order and completeness of the series.
    """
    label(_("Downloads"))
    row = st.container(horizontal=True, vertical_alignment="center", key="downloads")
    with row:
        _offer(_("Results, CSV"), "covidct-results.csv", "text/csv", lambda: _csv(outcomes, card))
        if page is None or view is None:
            return
        _offer(
            _("Report, PDF"),
            "covidct-slice.pdf",
            "application/pdf",
            lambda: _pdf(page, card, outcomes, notes),
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
            st.checkbox(_("With patient and study"), key=kept, help=_(strings.IDENTIFIERS))


def _offer(title: str, name: str, mime: str, make: Callable[[], bytes]) -> None:
    download(title, name, mime, make, key=name)


def _csv(outcomes: Sequence[Outcome | SeriesJudged], card: ModelCard) -> bytes:
    from covidct.reports.table import results_csv

    return results_csv(outcomes, card).encode(errors="backslashreplace")


def _pdf(
    page: SlicePage,
    card: ModelCard,
    outcomes: Sequence[Outcome | SeriesJudged],
    notes: Sequence[str],
) -> bytes:
    from covidct.inference.judge import Judged, SeriesJudged
    from covidct.reports.pdf import PDFReport

    report = PDFReport(card, datetime.now())
    slices = [outcome for outcome in outcomes if not isinstance(outcome, SeriesJudged)]
    numbered = [outcome.case for outcome in slices if outcome.case.number]
    if len(numbered) > 1 and len({case.group for case in numbered}) == 1:
        judged = (outcome for outcome in slices if isinstance(outcome, Judged))
        of_slices = dict.fromkeys(note for outcome in judged for note in outcome.notes)
        report.add_series(N_("The series"), outcomes, [*notes, *of_slices])
    report.add_slice(page)
    return report.finish()


def _png(page: SlicePage, card: ModelCard) -> bytes:
    from covidct.reports.picture import overlay_png

    return overlay_png(_overlay(page), card)


def _capture(page: SlicePage, card: ModelCard, source: bytes | None, frame: int | None) -> bytes:
    from covidct.reports.secondary_capture import CaptureSeries, file_of

    capture = CaptureSeries(card, datetime.now()).capture(
        _overlay(page), 1, page.ct_slice.spacing_mm, source, frame
    )
    return file_of(capture)


def _overlay(page: SlicePage) -> np.ndarray:
    from covidct.inference.heatmap import overlay

    return overlay(page.ct_slice, page.heat, page.opacity, page.colormap)
