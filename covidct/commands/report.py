"""The command that reports: results as CSV, PDF or DICOM."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from covidct.commands import DONE, FAILED, NOTICE
from covidct.commands.shared import (
    add_cluster_options,
    add_gate_option,
    add_model_option,
    admission,
    say,
    slice_judge,
)
from covidct.errors import ExportError, UnreadableSlice

if TYPE_CHECKING:
    from covidct.inference.cases import CaseGroup
    from covidct.inference.judge import Judged, Outcome, SeriesJudged, SliceJudge
    from covidct.reports.pdf import PDFReport
    from covidct.reports.secondary_capture import CaptureSeries
    from covidct.reports.slice_page import SlicePage

_OVERLAY_NAME = "case-{case}-slice-{number}.dcm"
_OBJECT_NAME = "case-{case}-{kind}.dcm"


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("report", help="results as CSV, PDF, DICOM")
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a file, a folder or a ZIP"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a table of all results")
    parser.add_argument("--pdf", type=Path, metavar="FILE", help="a page a slice or series")
    parser.add_argument(
        "--secondary-capture", type=Path, metavar="DIR", help="the overlays as DICOM files"
    )
    parser.add_argument(
        "--keep-identifiers",
        action="store_true",
        help="put patient and study of DICOM slices into their overlays",
    )
    parser.add_argument(
        "--dicom",
        type=Path,
        metavar="DIR",
        help="segmentation, report and heat map of each series, with its patient and study",
    )
    add_gate_option(parser)
    add_model_option(parser)
    add_cluster_options(parser)
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    files = [path for path in (options.csv, options.pdf) if path]
    folders = [path for path in (options.secondary_capture, options.dicom) if path]
    if not files and not folders:
        options.usage_error("--csv, --pdf, --secondary-capture or --dicom is needed")
    if options.keep_identifiers and not options.secondary_capture:
        options.usage_error("--keep-identifiers is for --secondary-capture")
    if options.cluster and (options.pdf or folders):
        options.usage_error("--cluster is for --csv: the others need pixels, which stay on workers")
    for folder in folders:
        if any(folder.glob("case-*.dcm")):
            options.usage_error(
                f"{folder} holds results of another report, which are kept: name a new folder"
            )
    for folder in (*(path.parent for path in files), *folders):
        folder.mkdir(parents=True, exist_ok=True)
    run = _Run(options)
    with slice_judge(options) as by:
        run.judge_all(by)
    return run.finish()


class _Run:
    """One run of the command: what it was asked for, and what has come of it so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        from covidct.inference.classifier import Classifier
        from covidct.reports.pdf import PDFReport

        self.options = options
        self.admit = admission(options)
        self.classifier = Classifier.load(options.model)
        self.made = datetime.now()
        self.pdf = PDFReport(self.classifier.card, self.made) if options.pdf else None
        self.outcomes: list[Outcome | SeriesJudged] = []
        self.without_objects = 0

    def judge_all(self, by: SliceJudge) -> None:
        """Judge what is at the paths, one file or series after the other."""
        from covidct.inference.cases import groups_at
        from covidct.inference.judge import judge
        from covidct.reports.secondary_capture import CaptureSeries

        groups = groups_at(self.options.paths)
        for group, found in judge(self.classifier, groups, self.admit, by):
            captures = CaptureSeries(self.classifier.card, self.made)
            outcomes = [self._report(one, group, captures) for one in found]
            if self.pdf and group.is_series:
                self._add_series(self.pdf, group, outcomes)
            if self.options.dicom:
                self._write_objects(group, outcomes)
            for outcome in outcomes:
                self._enter(outcome)

    def finish(self) -> int:
        """Write table and PDF; the exit status."""
        from covidct.inference.judge import Judged
        from covidct.reports.table import results_csv

        card, status = self.classifier.card, DONE
        if self.options.csv:
            text = results_csv(self.outcomes, card)
            self.options.csv.write_text(text, encoding="utf-8", errors="backslashreplace")
        if self.pdf and not self.pdf.is_empty:
            self.options.pdf.write_bytes(self.pdf.finish())
        elif self.pdf:
            say("covidct: no slice to report on, so no PDF was written", file=sys.stderr)
            status = FAILED
        judged = sum(isinstance(outcome, Judged) for outcome in self.outcomes)
        refused = sum(bool(_error(outcome)) for outcome in self.outcomes)
        say(f"{judged} judged, {refused} refused. Model {card.model_id}. {NOTICE}")
        if self.options.keep_identifiers:
            say("Patient and study stand in the headers of the overlays.")
        if self.options.dicom:
            say("Patient and study stand in segmentations, reports and maps.")
        return FAILED if refused or self.without_objects else status

    def _report(
        self, outcome: Outcome | SeriesJudged, group: CaseGroup, captures: CaptureSeries
    ) -> Outcome | SeriesJudged:
        """Add the page and the overlay of a slice; its outcome without pixels."""
        from covidct.inference.judge import Judged
        from covidct.reports.series_pages import slice_page

        if not isinstance(outcome, Judged):
            return outcome
        pdf = None if group.is_series else self.pdf
        if not pdf and not self.options.secondary_capture:
            return outcome.summary()
        page = slice_page(self.classifier, outcome, len(group.cases))
        if pdf:
            pdf.add_slice(page)
        if self.options.secondary_capture:
            try:
                self._capture(captures, outcome, page)
            except UnreadableSlice as error:  # its header is damaged
                return replace(outcome.summary(), error=error.message)
        return outcome.summary()

    def _add_series(
        self, pdf: PDFReport, group: CaseGroup, outcomes: list[Outcome | SeriesJudged]
    ) -> None:
        from covidct.reports.series_pages import suspicious_pages

        pdf.add_series(f"Case {group.number}, a series", outcomes, group.notes)
        for page in suspicious_pages(self.classifier, outcomes, len(group.cases), self.admit):
            pdf.add_slice(page)

    def _write_objects(self, group: CaseGroup, outcomes: list[Outcome | SeriesJudged]) -> None:
        """Write what DICOM objects there are of a series or slice, or say why there is none."""
        from covidct.inference.judge import Judged
        from covidct.reports.dicom_results import files_of_series

        if not any(isinstance(one, Judged) for one in outcomes):
            return
        case = f"{group.number:03d}"
        try:
            for kind, data in files_of_series(self.classifier, outcomes):
                name = _OBJECT_NAME.format(case=case, kind=kind)
                (self.options.dicom / name).write_bytes(data)
        except (ExportError, UnreadableSlice) as error:
            self.without_objects += 1
            say(f"No DICOM   {group.name}: {error.message}")

    def _capture(self, captures: CaptureSeries, judged: Judged, page: SlicePage) -> None:
        """Write the overlay of a slice.

        Raises:
            UnreadableSlice: the header that holds the identifiers is damaged.
        """
        from covidct.inference.heatmap import overlay
        from covidct.reports.secondary_capture import file_of

        case = judged.case
        assert case.number is not None  # only what is no slice has none
        keeps = self.options.keep_identifiers and judged.source == "DICOM"
        file = case.file if keeps else None
        capture = captures.capture(
            overlay(page.ct_slice, page.heat),
            case.number,
            page.ct_slice.spacing_mm,
            file.read() if file else None,
            case.place.frame,
        )
        name = _OVERLAY_NAME.format(case=f"{case.group:03d}", number=f"{case.number:04d}")
        (self.options.secondary_capture / name).write_bytes(file_of(capture))

    def _enter(self, outcome: Outcome | SeriesJudged) -> None:
        from covidct.inference.judge import SeriesJudged

        self.outcomes.append(outcome)
        if not isinstance(outcome, SeriesJudged) and (error := _error(outcome)):
            say(f"Refused  {outcome.case.place.file}: {error}")


def _error(outcome: Outcome | SeriesJudged) -> str:
    """Why a slice has no verdict, or no overlay in spite of one; else empty."""
    from covidct.inference.judge import Judged, Refused

    match outcome:
        case Judged():
            return outcome.error
        case Refused():
            return outcome.reason
        case _:
            return ""
