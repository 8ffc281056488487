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
from covidct.errors import ArchiveError

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
        for line in lines(path, classifier, admit):
            if "error" in line:
                status = FAILED
            print(json.dumps(line, ensure_ascii=False) if options.json else _text(line), flush=True)
    if not options.json:
        point = classifier.card.calibration.operating_point
        print(f"Positive from {point:.1%}. Model {classifier.card.model_id}. {NOTICE}")
    return status


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line to print: what is known before the network is asked, and how to read the slice."""

    known: dict[str, Any]
    read: Callable[[], CTSlice] | None = None


def lines(
    path: Path, classifier: Classifier, admit: Callable[[CTSlice], CTSlice]
) -> Iterator[dict[str, Any]]:
    """One line for each slice at a path, series in their order; notes go to standard error."""
    from covidct.inference.pipeline import judge_many

    entries = _entries(path, admit)
    judged = judge_many(classifier, (entry.read for entry in entries if entry.read))
    for entry in entries:
        yield entry.known | (_said(next(judged)) if entry.read else {})


def _entries(path: Path, admit: Callable[[CTSlice], CTSlice]) -> list[_Entry]:
    from covidct.imaging import read_slice
    from covidct.imaging.series import gather
    from covidct.imaging.sources import File, files_at

    try:
        files = files_at(path)
    except ArchiveError as error:
        return [_Entry({"file": str(path), "error": str(error)})]
    entries = []
    for group in gather(files):
        if isinstance(group, File):
            entries.append(
                _Entry({"file": group.name}, lambda group=group: admit(read_slice(group.read())))
            )
            continue
        for note in group.notes:
            print(f"covidct: {path}: {note}", file=sys.stderr)
        entries += [
            _Entry(_named(place), lambda group=group, index=index: admit(group.read(index)))
            for index, place in enumerate(group.places)
        ]
        entries += [
            _Entry({**_named(left.place), "set_aside": left.reason}) for left in group.set_aside
        ]
    return entries


def _named(place: Place) -> dict[str, Any]:
    found = {"file": place.file, "frame": place.frame, "position_mm": place.position_mm}
    return {key: value for key, value in found.items() if value is not None}


def _said(judged: Judged) -> dict[str, Any]:
    """The verdict on a slice, or why there is none."""
    if judged.prediction is None:
        return {"error": judged.error}
    return {
        "label": judged.prediction.label,
        "probability": round(judged.prediction.probability, 6),
        "decision": judged.prediction.decision,
        "notes": list(judged.notes),
        "model_id": judged.prediction.model_id,
    }


def _text(line: dict[str, Any]) -> str:
    """A line for a person."""
    name = f"{line['file']}, frame {line['frame']}" if "frame" in line else line["file"]
    if "error" in line:
        return f"Refused            {name}: {line['error']}"
    if "set_aside" in line:
        return f"Set aside          {name}: {line['set_aside']}"
    notes = f"  ({' '.join(line['notes'])})" if line["notes"] else ""
    return f"{line['decision']:9s} {line['probability']:6.1%}  {name}{notes}"
