"""The command that classifies: a line for each slice of files, folders, series and ZIPs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covidct.commands import DONE, FAILED, NOTICE
from covidct.errors import ArchiveError, NotALungSlice, UnreadableSlice

if TYPE_CHECKING:
    from covidct.imaging import CTSlice
    from covidct.imaging.series import Place
    from covidct.inference.classifier import Classifier


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


def _lines(
    path: Path, classifier: Classifier, admit: Callable[[CTSlice], CTSlice]
) -> Iterator[dict[str, Any]]:
    """One line for each slice at a path, series in their order; notes go to standard error.

    Slices of a series that the gate refuses above or below its lungs are set aside, not refused.
    """
    from covidct.imaging import read_slice
    from covidct.imaging.extent import tell_ends
    from covidct.imaging.series import gather
    from covidct.imaging.sources import File, files_at

    try:
        files = files_at(path)
    except ArchiveError as error:
        yield {"file": str(path), "error": str(error)}
        return
    for group in gather(files):
        if isinstance(group, File):
            yield _line(
                {"file": group.name},
                lambda group=group: admit(read_slice(group.read())),
                classifier,
            )
            continue
        for note in group.notes:
            print(f"covidct: {path}: {note}", file=sys.stderr)
        lines = (
            _line(
                _named(place),
                lambda group=group, index=index: admit(group.read(index)),
                classifier,
            )
            for index, place in enumerate(group.places)
        )
        yield from tell_ends(lines, lambda line: "label" in line, _beyond_lungs)
        for left in group.set_aside:
            yield {**_named(left.place), "set_aside": left.reason}


def _named(place: Place) -> dict[str, Any]:
    found = {"file": place.file, "frame": place.frame, "position_mm": place.position_mm}
    return {key: value for key, value in found.items() if value is not None}


def _line(
    name: dict[str, Any], read: Callable[[], CTSlice], classifier: Classifier
) -> dict[str, Any]:
    """The verdict on a slice, or why there is none."""
    from covidct.inference.heatmap import explain
    from covidct.reports.words import OUTSIDE_LUNGS, is_mostly_outside

    try:
        ct_slice = read()
    except UnreadableSlice as error:
        return {**name, "error": error}
    prediction, heat = explain(classifier, ct_slice)
    flag = [OUTSIDE_LUNGS] if is_mostly_outside(heat.lung_share) else []
    return {
        **name,
        "label": prediction.label,
        "probability": round(prediction.probability, 6),
        "decision": prediction.decision,
        "notes": [*ct_slice.notes, *flag],
        "model_id": prediction.model_id,
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
