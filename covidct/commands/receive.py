"""The command that is a DICOM node: CT that is sent to it gets a line a series."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from covidct.commands import DONE, FAILED, NOTICE
from covidct.commands.classify import text_of
from covidct.commands.shared import add_gate_option, add_model_option, admission, say

if TYPE_CHECKING:
    from covidct.archive.inbox import Received
    from covidct.archive.node_settings import NodeSettings
    from covidct.inference.judge import Outcome, SeriesJudged

_PLACE = ("file", "frame", "position_mm")


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "receive", help="a DICOM node: a verdict for each series that is sent to it"
    )
    parser.add_argument(
        "--peer",
        action="append",
        required=True,
        dest="named",
        metavar="AET=HOST[:PORT]",
        help="a node that may send, by AE title and address; may be repeated",
    )
    settings = parser.add_argument_group(argument_default=argparse.SUPPRESS)
    settings.add_argument("--port", type=int, metavar="N", help="to listen on (11112)")
    settings.add_argument("--aet", dest="ae_title", metavar="AET", help="its own (COVIDCT)")
    settings.add_argument(
        "--host", metavar="ADDRESS", help="to listen on (127.0.0.1; 0.0.0.0 for all addresses)"
    )
    settings.add_argument(
        "--quiet",
        type=float,
        metavar="SECONDS",
        help="judge a series when nothing of it came for so long (5)",
    )
    settings.add_argument(
        "--keep", type=Path, metavar="DIR", help="write slices there; by default none is written"
    )
    settings.add_argument("--send-to", metavar="AET", help="the peer that gets results")
    settings.add_argument(
        "--what",
        type=lambda kinds: tuple(kinds.split(",")),
        metavar="KIND,…",
        help="sc: secondary captures, seg: segmentation, sr: report, map: parametric map",
    )
    parser.add_argument("--uid", action="store_true", help="tell SeriesInstanceUIDs, too")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_gate_option(parser)
    add_model_option(parser)
    parser.set_defaults(run=_receive, usage_error=parser.error)


def _receive(options: argparse.Namespace) -> int:
    from covidct.archive.inbox import Inbox
    from covidct.archive.node import Node
    from covidct.archive.receiving import receive
    from covidct.inference.classifier import Classifier

    settings = _settings(options)
    inbox = Inbox(settings.quiet)
    classifier = Classifier.load(options.model)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Node(settings, inbox):
            if not options.json:
                say(f"Listening on port {settings.port} of {settings.host} as {settings.ae_title}.")
                point = classifier.card.calibration.operating_point
                say(f"Positive from {point:.1%}. Model {classifier.card.model_id}. {NOTICE}")
            for received in receive(inbox, settings, lambda: classifier, admission(options)):
                _print(received, options)
    except KeyboardInterrupt:
        if inbox.waiting:
            say(f"covidct: {inbox.waiting} series came and were not judged", file=sys.stderr)
            return FAILED
    return DONE


def _settings(options: argparse.Namespace) -> NodeSettings:
    from covidct.archive.node_settings import NodeSettings, peers_of
    from covidct.errors import ConfigError

    named = {field.name for field in fields(NodeSettings)} & vars(options).keys()
    given = {name: getattr(options, name) for name in named}
    try:
        return NodeSettings(peers_of(options.named), **given)
    except ConfigError as error:
        options.usage_error(str(error))
        raise


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _print(received: Received, options: argparse.Namespace) -> None:
    """A line for each series, and on standard error what went wrong beside the verdict."""
    number = received.arrival.number
    named = {"series": number} | ({"uid": received.arrival.uids[0]} if options.uid else {})
    for group, outcomes in zip(received.groups, received.outcomes, strict=True):
        line = _line(outcomes)
        notes = [*received.arrival.notes, *group.notes, *line.get("notes", ())]
        _print_line({**named, **line, **named, "notes": notes}, options)
    if received.problem and not received.groups:
        _print_line({**named, "error": received.problem, "notes": []}, options)
    elif received.problem:
        say(f"covidct: series {number}: {received.problem}", file=sys.stderr)
    if received.stored and not received.stored.is_whole:
        say(f"covidct: series {number}: {received.stored.sentence}", file=sys.stderr)
    elif received.stored and not options.json:
        say(f"Series {number}: {received.stored.sentence}")


def _print_line(line: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(line, ensure_ascii=False), flush=True)
        return
    notes = f"  ({' '.join(line['notes'])})" if line["notes"] else ""
    name = f"{line['series']}, {line['uid']}" if "uid" in line else str(line["series"])
    if "rule" in line:
        said = text_of({**line, "series": name})
    else:  # it is told as a slice is
        slice_line = {key: value for key, value in line.items() if key != "series"}
        said = text_of({**slice_line, "file": f"Series {name}", "notes": []})
    say(said + notes)


def _line(outcomes: Sequence[Outcome | SeriesJudged]) -> dict[str, Any]:
    """The verdict on a series, or on its only slice; else the first reason why there is none."""
    from covidct.inference.cases import SetAside
    from covidct.inference.judge import Judged, Refused, SeriesJudged
    from covidct.reports.lines import line_of

    for kind in (SeriesJudged, Judged, Refused, SetAside):
        for outcome in outcomes:
            if isinstance(outcome, kind):
                line = line_of(outcome)
                slices = {"slices": 1} if kind is Judged else {}
                return slices | {key: line[key] for key in line if key not in _PLACE}
    return {"error": "There is no slice in it."}
