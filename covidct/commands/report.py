"""The command that reports: results as CSV, PDF or DICOM, to be taken away."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from covidct.commands import DONE, FAILED, NOTICE
from covidct.commands.classify import add_gate_option
from covidct.errors import ArchiveError, NotALungSlice, UnreadableSlice

if TYPE_CHECKING:
    from covidct.imaging import CTSlice
    from covidct.imaging.series import Place, Series
    from covidct.imaging.sources import File
    from covidct.reports.result import Result
    from covidct.reports.secondary_capture import CaptureSeries
    from covidct.reports.slice_page import SlicePage


_OVERLAY_NAME = "case-{case}-slice-{number}.dcm"


def add_command(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add it to the command line."""
    parser = commands.add_parser("report", help="results to take away: CSV, PDF, DICOM overlays")
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
    add_gate_option(parser)
    parser.set_defaults(run=_report, usage_error=parser.error)
    return parser


def _report(options: argparse.Namespace) -> int:
    files = [path for path in (options.csv, options.pdf) if path]
    if not files and not options.secondary_capture:
        options.usage_error("--csv, --pdf or --secondary-capture is needed")
    if options.keep_identifiers and not options.secondary_capture:
        options.usage_error("--keep-identifiers is for --secondary-capture")
    if options.secondary_capture and any(
        options.secondary_capture.glob(_OVERLAY_NAME.format(case="*", number="*"))
    ):
        options.usage_error(
            f"{options.secondary_capture} holds overlays of another report, which are kept: "
            "name a new folder"
        )
    for folder in (*(path.parent for path in files), options.secondary_capture):
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
    run = _Run(options)
    for path in options.paths:
        run.add(path)
    return run.finish()


@dataclass(frozen=True, slots=True)
class _Slice:
    """A slice of a case: what is known of it, how to read it, and its file if it is DICOM."""

    known: Result
    title: str
    read: Callable[[], CTSlice]
    dicom: Callable[[], bytes] | None = None


class _Run:
    """One run of the command: what it was asked for, and what has come of it so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        from covidct.imaging.gate import check_lung_slice, past_gate
        from covidct.inference.classifier import Classifier
        from covidct.reports.pdf import PDFReport

        self.options = options
        self.admit = past_gate if options.despite_gate else check_lung_slice
        self.classifier = Classifier.load(options.model)
        self.made = datetime.now()
        self.pdf = PDFReport(self.classifier.card, self.made) if options.pdf else None
        self.results: list[Result] = []
        self.cases = 0

    def add(self, path: Path) -> None:
        """Judge all slices at a path, series in their order."""
        from covidct.imaging.series import gather
        from covidct.imaging.sources import files_at
        from covidct.reports.result import Result

        try:
            groups = gather(files_at(path))
        except ArchiveError as error:
            self.cases += 1
            self._enter([Result(self.cases, None, str(path), error=str(error))])
            return
        for group in groups:
            self.cases += 1
            self._add_case(group)

    def finish(self) -> int:
        """Write table and PDF; the exit status."""
        from covidct.reports.table import results_csv

        card, status = self.classifier.card, DONE
        if self.options.csv:
            text = results_csv(self.results, card)
            self.options.csv.write_text(text, encoding="utf-8", errors="backslashreplace")
        if self.pdf and self.pdf.pages:
            self.options.pdf.write_bytes(self.pdf.finish())
        elif self.pdf:
            print("covidct: no slice to report on, so no PDF was written", file=sys.stderr)
            status = FAILED
        judged = sum(result.prediction is not None for result in self.results)
        refused = sum(bool(result.error) for result in self.results)
        print(f"{judged} judged, {refused} refused. Model {card.model_id}. {NOTICE}")
        if self.options.keep_identifiers:
            print("Patient and study stand in the headers of the overlays.")
        return FAILED if refused else status

    def _enter(self, results: list[Result]) -> None:
        self.results += results
        for result in results:
            if result.error:
                print(f"Refused  {result.file}: {result.error}")

    def _add_case(self, group: Series | File) -> None:
        from covidct.imaging.sources import File
        from covidct.reports.pdf import most_suspicious
        from covidct.reports.result import with_ends
        from covidct.reports.secondary_capture import CaptureSeries

        slices = self._one(group) if isinstance(group, File) else self._series(group)
        captures = CaptureSeries(self.classifier.card, self.made)
        alone = len(slices) == 1
        results = []
        for one in slices:
            result, page = self._judge(one)
            if page and self.options.secondary_capture:
                result = self._capture(captures, one, page, result)
            results.append(result)
            if page and self.pdf and alone:
                self.pdf.add_slice(page)
        if not isinstance(group, File):
            results = with_ends(results)
            results += [self._known(left.place, set_aside=left.reason) for left in group.set_aside]
        self._enter(results)
        if self.pdf and len(slices) > 1:
            self.pdf.add_series(f"Case {self.cases}, a series", results, group.notes)
            for result in most_suspicious(results):
                _, page = self._judge(slices[result.number - 1])
                self.pdf.add_slice(page)

    def _one(self, file: File) -> list[_Slice]:
        from covidct.imaging import read_slice
        from covidct.imaging.series import Place

        known = self._known(Place(file.name), 1)
        return [_Slice(known, f"Case {self.cases}", lambda: read_slice(file.read()))]

    def _series(self, series: Series) -> list[_Slice]:
        of = f" of {len(series)}"
        return [
            _Slice(
                self._known(place, number),
                f"Case {self.cases}, slice {number}{of}"
                if len(series) > 1
                else f"Case {self.cases}",
                partial(series.read, number - 1),
                series.files[number - 1].read,
            )
            for number, place in enumerate(series.places, 1)
        ]

    def _known(self, place: Place, number: int | None = None, set_aside: str = "") -> Result:
        from covidct.reports.result import Result

        return Result.at(self.cases, number, place, set_aside=set_aside)

    def _judge(self, one: _Slice) -> tuple[Result, SlicePage | None]:
        """The result of a slice and what its page shows, if it can be read."""
        from covidct.inference.heatmap import explain
        from covidct.reports.slice_page import SlicePage

        try:
            ct_slice = self.admit(one.read())
        except UnreadableSlice as error:
            gated = isinstance(error, NotALungSlice)
            return replace(one.known, error=str(error), gated=gated), None
        prediction, heat = explain(self.classifier, ct_slice)
        result = replace(
            one.known, prediction=prediction, lung_share=heat.lung_share, notes=ct_slice.notes
        )
        return result, SlicePage(one.title, ct_slice, prediction, heat)

    def _capture(
        self, captures: CaptureSeries, one: _Slice, page: SlicePage, result: Result
    ) -> Result:
        """Write the overlay of a slice; its result, with the error if its header is damaged."""
        from covidct.inference.heatmap import overlay

        source = one.dicom() if self.options.keep_identifiers and one.dicom else None
        try:
            data = captures.capture(
                overlay(page.ct_slice, page.heat),
                result.number,
                page.ct_slice.spacing_mm,
                source,
                result.frame,
            )
        except UnreadableSlice as error:
            return replace(result, error=str(error))
        name = _OVERLAY_NAME.format(case=f"{result.case:03d}", number=f"{result.number:04d}")
        (self.options.secondary_capture / name).write_bytes(data)
        return result
