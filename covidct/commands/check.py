"""The command that looks for leaks and mistakes in a data set."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from covidct.commands import DONE, FAILED
from covidct.commands.shared import progress_bar
from covidct.files import NAMES


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("check", help="look for leaks and mistakes in a data set")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--exclusions", type=Path, metavar="FILE", help="list what to leave out")
    parser.add_argument("--official-lists", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--validation-share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from covidct.data.check import check_dataset
    from covidct.data.check_text import as_json, as_text

    report = check_dataset(
        options.data,
        options.validation_share,
        options.seed,
        progress_bar("Checking"),
        official_lists=options.official_lists,
    )
    if options.exclusions:
        names = "".join(f"{name}\n" for name in report.exclusions)
        options.exclusions.write_text(names, **NAMES)
    print(json.dumps(as_json(report), ensure_ascii=False) if options.json else as_text(report))
    return FAILED if report.leaks else DONE
