"""The command that works with a DICOM archive: search it, classify from it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from covidct.commands import DONE, FAILED
from covidct.commands.classify import print_verdicts
from covidct.commands.shared import add_gate_option, add_model_option, progress_bar, say

if TYPE_CHECKING:
    from covidct.archive.dicomweb import Archive, ArchivedSeries

_TOLD = ("series", "study", "patient_id", "modality", "date", "description", "slices")


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "archive",
        help="search a DICOM archive and classify from it",
        epilog="The archive is named in .streamlit/secrets.toml or by COVIDCT_DICOMWEB.",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    search = actions.add_parser("search", help="a line for each series")
    search.add_argument("--patient", metavar="ID", default="", help="* and ? stand for others")
    search.add_argument("--accession", metavar="NUMBER", default="", help="likewise")
    search.add_argument("--date", metavar="DAY", default="", help="2026-01-31 or a range")
    search.add_argument("--description", metavar="TEXT", default="", help="a part of it")
    search.add_argument("--json", action="store_true", help="one JSON object a line")
    search.set_defaults(run=_search)
    classify = actions.add_parser("classify", help="a verdict for each slice and the series")
    classify.add_argument("--json", action="store_true", help="one JSON object a line")
    classify.set_defaults(run=_classify)
    classify.add_argument("--series", required=True, metavar="UID", help="as search tells it")
    add_gate_option(classify)
    add_model_option(classify)


def _search(options: argparse.Namespace) -> int:
    from covidct.archive.dicomweb import MOST_SERIES, Query, date_range

    date = date_range(options.date) if options.date else ""
    query = Query(options.patient, options.accession, date, options.description)
    found, more = _archive().search(query)
    for one in found:
        if options.json:
            print(json.dumps({key: getattr(one, key) for key in _TOLD}, ensure_ascii=False))
        else:
            slices = "?" if one.slices is None else one.slices
            say(
                f"{one.date or 'no date':10s}  {one.modality:4s} {slices:>5}  "
                f"{one.patient_id}  {one.description}  {one.series}"
            )
    if more:
        say(f"covidct: there are more than {MOST_SERIES}; narrow the search", file=sys.stderr)
    return DONE


def _classify(options: argparse.Namespace) -> int:
    from covidct.inference.cases import groups_in
    from covidct.inference.classifier import Classifier

    archive = _archive()
    files, note = _fetch(archive, archive.find(options.series))
    status = print_verdicts(Classifier.load(options.model), groups_in(files), options)
    return FAILED if note else status


def _fetch(archive: Archive, found: ArchivedSeries) -> tuple[list[tuple[str, bytes]], str]:
    """The files of a series, and what to say where some are missing, which is said."""
    from covidct.archive.fetch import fetch, parts_of, shortfall

    parts = parts_of(archive, found)
    files = list(progress_bar("Fetching")(fetch(archive, parts)))
    note = shortfall(parts, len(files)) or ""
    if note:
        say(f"covidct: {note}", file=sys.stderr)
    return files, note


def _archive() -> Archive:
    from covidct.archive.dicomweb import Archive
    from covidct.archive.settings import archive_settings
    from covidct.errors import ConfigError
    from covidct.messages import N_

    settings = archive_settings()
    if settings is None:
        raise ConfigError(
            N_(
                "No archive is named: put its address into .streamlit/secrets.toml, section "
                "[archive], or into COVIDCT_DICOMWEB."
            )
        )
    return Archive(settings)
