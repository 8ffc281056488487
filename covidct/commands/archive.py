"""The command that searches a DICOM archive, classifies from it and sends results back."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from covidct.commands import DONE, FAILED, NOTICE
from covidct.commands.classify import print_verdicts
from covidct.commands.shared import add_gate_option, add_model_option, admission, progress_bar, say

if TYPE_CHECKING:
    from covidct.archive.dicomweb import Archive
    from covidct.archive.listed import ArchivedSeries
    from covidct.inference.classifier import Classifier
    from covidct.inference.judge import Outcome, SeriesJudged

_TOLD = ("series", "study", "patient_id", "modality", "date", "description", "slices")


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "archive",
        help="a DICOM archive: search it, classify from it, send results back",
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
    send = actions.add_parser("send", help="judge a series, and send results to its study")
    send.add_argument(
        "--what",
        required=True,
        metavar="KIND,…",
        help="sc: secondary captures, seg: segmentation, sr: report, map: parametric map",
    )
    send.set_defaults(run=_send, usage_error=send.error)
    for action in (classify, send):
        action.add_argument("--series", required=True, metavar="UID", help="as search tells it")
        add_gate_option(action)
        add_model_option(action)


def _search(options: argparse.Namespace) -> int:
    from covidct.archive.dicomweb import MOST_SERIES
    from covidct.archive.query import Query, date_range

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


def _send(options: argparse.Namespace) -> int:
    from covidct.archive.send import TITLES
    from covidct.errors import ExportError
    from covidct.inference.cases import groups_in
    from covidct.inference.classifier import Classifier
    from covidct.inference.judge import Judged, judge
    from covidct.messages import N_

    what = options.what.split(",")
    if unknown := sorted(set(what) - set(TITLES)):
        options.usage_error(f"--what: no {', '.join(unknown)}; there are {', '.join(TITLES)}")
    archive = _archive()
    files, note = _fetch(archive, archive.find(options.series))
    classifier = Classifier.load(options.model)
    groups = [group for group in groups_in(files) if group.cases]
    if not groups:
        raise ExportError(N_("This series holds no slice, so there are no results."))
    is_whole = not note
    for _, found in judge(classifier, groups, admission(options)):
        outcomes = [one.summary() if isinstance(one, Judged) else one for one in found]
        is_whole &= _send_results(archive, classifier, outcomes, what)
    say(f"Model {classifier.card.model_id}. {NOTICE}")
    return DONE if is_whole else FAILED


def _send_results(
    archive: Archive,
    classifier: Classifier,
    outcomes: list[Outcome | SeriesJudged],
    what: list[str],
) -> bool:
    """Say what is sent, send it, and say what the archive made of it; whether it stored all."""
    from covidct.archive.send import TITLES, planned, send, sentence

    objects = send(archive, classifier, outcomes, what)
    plan = planned(outcomes, what)
    for kind, count in plan.items():
        say(f"{count:5}  {TITLES[kind]}")
    say(sentence(sum(plan.values())))
    *_, told = progress_bar("Sending")(objects)
    say(told.sentence)
    return told.is_whole


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
