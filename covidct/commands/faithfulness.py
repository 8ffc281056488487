"""The command that asks whether heat maps mean anything."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from covidct.commands import DONE, NOTICE
from covidct.commands.shared import add_evaluation_options, progress_bar, say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("faithfulness", help="whether heat maps mean anything")
    parser.add_argument(
        "--series", type=Path, metavar="DIR", help="with series, lesion-masks, lung-masks in it"
    )
    parser.add_argument(
        "--planted", type=int, metavar="N", help="how many synthetic slices with lesions"
    )
    add_evaluation_options(parser, needs_data=False)
    parser.set_defaults(run=_faithfulness)


def _faithfulness(options: argparse.Namespace) -> int:
    from covidct.evaluation.faithfulness.run import PLANTED_SLICES, faithfulness
    from covidct.evaluation.faithfulness.text import as_text
    from covidct.evaluation.results import FAITHFULNESS_FILE
    from covidct.inference.classifier import Classifier

    figures = faithfulness(
        Classifier.load(options.model),
        options.out,
        options.series,
        options.data,
        options.split,
        PLANTED_SLICES if options.planted is None else options.planted,
        progress_bar("Measuring heat maps"),
    )
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        say(*as_text(figures).split("\n"))
        say(f"Written to {options.out}: {FAITHFULNESS_FILE}. {NOTICE}")
    return DONE
