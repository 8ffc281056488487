"""The command that classifies: a line for each slice of files, folders, series and ZIPs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covidct.commands import DONE, FAILED, NOTICE
from covidct.errors import ArchiveError, NotALungSlice

if TYPE_CHECKING:
    from covidct.imaging import CTSlice
    from covidct.imaging.series import Place
    from covidct.inference.classifier import Classifier
    from covidct.inference.pipeline import Judged


def add_command(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add it to the command line."""
    parser = commands.add_parser("classify", help="a verdict for each slice")
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a file, a folder or a ZIP"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_gate_option(parser)
    parser.set_defaults(run=_classify)
    return parser


def add_gate_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take pictures that are no lung slices."""
    parser.add_argument(
        "--despite-gate",
        action="store_true",
        help="classify what is no lung slice as well, with a note",
    )


def _classify(options: argparse.Namespace) -> int:
    from covidct.imaging.gate import check_lung_slice, past_gate
    from covidct.inference.classifier import Classifier

    classifier = Classifier.load(options.model)
    admit = past_gate if options.despite_gate else check_lung_slice
    status = DONE
    for path in options.paths:
        for line in _lines(path, classifier, admit):
            if "error" in line:
                status = FAILED
            as_json = json.dumps(line, ensure_ascii=False, default=str)
            print(as_json if options.json else _text(line), flush=True)
    if not options.json:
        point = classifier.card.calibration.operating_point
        print(f"Positive from {point:.1%}. Model {classifier.card.model_id}. {NOTICE}")
    return status


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line to print: what is known before the network is asked, and how to read the slice."""

    known: dict[str, Any]
    read: Callable[[], CTSlice] | None = None


def _lines(
    path: Path, classifier: Classifier, admit: Callable[[CTSlice], CTSlice]
) -> Iterator[dict[str, Any]]:
    """One line for each slice at a path, series in their order; notes go to standard error.

    Slices of a series that the gate refuses above or below its lungs are set aside, not refused.
    """
    from covidct.imaging.extent import tell_ends
    from covidct.inference.pipeline import judge_many

    groups = _groups(path, admit)
    judged = judge_many(classifier, (one.read for group in groups for one in group if one.read))
    for group in groups:
        said = (one.known | _said(next(judged)) for one in group if one.read)
        yield from tell_ends(said, lambda line: "label" in line, _beyond_lungs)
        yield from (one.known for one in group if not one.read)


def _groups(path: Path, admit: Callable[[CTSlice], CTSlice]) -> list[list[_Entry]]:
    """What is at a path: single files, and series with what was set aside of them."""
    from covidct.imaging.series import gather
    from covidct.imaging.sources import File, files_at
    from covidct.inference.pipeline import reads_of

    try:
        files = files_at(path)
    except ArchiveError as error:
        return [[_Entry({"file": str(path), "error": str(error)})]]
    groups = []
    for group in gather(files):
        reads = [lambda read=read: admit(read()) for read in reads_of(group)]
        if isinstance(group, File):
            groups.append([_Entry({"file": group.name}, *reads)])
            continue
        for note in group.notes:
            print(f"covidct: {path}: {note}", file=sys.stderr)
        slices = [
            _Entry(_named(place), read) for place, read in zip(group.places, reads, strict=True)
        ]
        left_out = [
            _Entry({**_named(left.place), "set_aside": left.reason}) for left in group.set_aside
        ]
        groups.append(slices + left_out)
    return groups


def _named(place: Place) -> dict[str, Any]:
    found = {"file": place.file, "frame": place.frame, "position_mm": place.position_mm}
    return {key: value for key, value in found.items() if value is not None}


def _said(judged: Judged) -> dict[str, Any]:
    """The verdict on a slice, or why there is none."""
    from covidct.reports.words import OUTSIDE_LUNGS, is_mostly_outside

    if judged.prediction is None:
        return {"error": judged.refusal}
    flag = [OUTSIDE_LUNGS] if is_mostly_outside(judged.lung_share) else []
    return {
        "label": judged.prediction.label,
        "probability": round(judged.prediction.probability, 6),
        "decision": judged.prediction.decision,
        "notes": [*judged.notes, *flag],
        "model_id": judged.prediction.model_id,
    }


def _beyond_lungs(line: dict[str, Any]) -> dict[str, Any]:
    """A line above or below the lungs: set aside if the gate refused it."""
    from covidct.imaging.extent import BEYOND_LUNGS

    if not isinstance(line["error"], NotALungSlice):
        return line
    name = {key: value for key, value in line.items() if key != "error"}
    return {**name, "set_aside": f"{BEYOND_LUNGS} {line['error']}"}


def _text(line: dict[str, Any]) -> str:
    """A line for a person."""
    name = f"{line['file']}, frame {line['frame']}" if "frame" in line else line["file"]
    if "error" in line:
        return f"Refused            {name}: {line['error']}"
    if "set_aside" in line:
        return f"Set aside          {name}: {line['set_aside']}"
    notes = f"  ({' '.join(line['notes'])})" if line["notes"] else ""
    return f"{line['decision']:9s} {line['probability']:6.1%}  {name}{notes}"
