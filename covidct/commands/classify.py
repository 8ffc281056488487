"""The command that classifies: a line for each slice and each series."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covidct.commands import DONE, FAILED, NOTICE
from covidct.commands.shared import (
    add_cluster_options,
    add_gate_option,
    add_model_option,
    admission,
    say,
    slice_judge,
)

_OPAQUE_WIDTH = 11

if TYPE_CHECKING:
    from covidct.inference.cases import CaseGroup
    from covidct.inference.classifier import Classifier
    from covidct.inference.judge import SliceJudge


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("classify", help="a verdict for each slice")
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a file, a folder or a ZIP"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_gate_option(parser)
    add_model_option(parser)
    add_cluster_options(parser)
    parser.set_defaults(run=_classify)


def _classify(options: argparse.Namespace) -> int:
    from covidct.inference.cases import groups_at
    from covidct.inference.classifier import Classifier

    classifier = Classifier.load(options.model)
    with slice_judge(options) as by:
        return print_verdicts(classifier, groups_at(options.paths), options, by)


def print_verdicts(
    classifier: Classifier,
    groups: Iterable[CaseGroup],
    options: argparse.Namespace,
    by: SliceJudge | None = None,
) -> int:
    """Judge files and series, and print a line for each slice and series; the exit status."""
    from covidct.inference.judge import judge
    from covidct.reports.lines import line_of

    status = DONE
    for group, outcomes in judge(classifier, groups, admission(options), by):
        for note in group.notes:
            say(f"covidct: {group.name}: {note}", file=sys.stderr)
        for line in map(line_of, outcomes):
            if "error" in line:
                status = FAILED
            if options.json:
                print(json.dumps(line, ensure_ascii=False), flush=True)
            else:
                say(text_of(line))
    if not options.json:
        point = classifier.card.calibration.operating_point
        say(f"Positive from {point:.1%}. Model {classifier.card.model_id}. {NOTICE}")
    return status


def text_of(line: dict[str, Any]) -> str:
    """A line for a person."""
    if "series" in line:
        verdict = f"{line['decision']:9s} {line['probability']:6.1%}"
        opaque = _opaque(line["opacity_volume_share"])
        return (
            f"{verdict}  {opaque}  Series {line['series']}, by {line['slices']} slices with lungs"
            f"{_remarks(_others(line))}"
        )
    name = f"{line['file']}, frame {line['frame']}" if "frame" in line else line["file"]
    if "error" in line:
        return f"Refused                  {name}: {line['error']}"
    if "set_aside" in line:
        return f"Set aside                {name}: {line['set_aside']}"
    remarks = _remarks(_others(line), " ".join(line["notes"]))
    opaque = _opaque(line["opacity_share"])
    return f"{line['decision']:9s} {line['probability']:6.1%}  {opaque}  {name}{remarks}"


def _others(line: dict[str, Any]) -> str:
    """The probabilities of the classes without COVID-19, where the model tells them apart."""
    return ", ".join(f"{name} {p:.1%}" for name, p in list(line.get("classes", {}).items())[1:])


def _remarks(*remarks: str) -> str:
    return "".join(f"  ({said})" for said in remarks if said)


def _opaque(share: float) -> str:
    return f"{share:4.0%} opaque".ljust(_OPAQUE_WIDTH)
