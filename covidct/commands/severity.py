"""The command that holds severity as found against severity by drawn masks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from covidct.commands import DONE, NOTICE
from covidct.commands.shared import add_masks_option, progress_bar, say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "severity", help="severity of whole patients, as found and by drawn masks"
    )
    add_masks_option(parser, "with slices of whole patients, lung-masks and lesion-masks in it")
    parser.add_argument("--out", type=Path, required=True, metavar="OUTDIR")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=_severity)


def _severity(options: argparse.Namespace) -> int:
    from covidct.evaluation.opacities.severity import SEVERITY_FILE, as_text, measure_severity

    figures = measure_severity(options.masks, options.out, progress_bar("Finding opacities"))
    if options.json:
        print(json.dumps(figures))
    else:
        say(*as_text(figures))
        say(f"Written to {options.out}: {SEVERITY_FILE}. {NOTICE}")
    return DONE
