"""The command that puts the model of a run to use."""

from __future__ import annotations

import argparse

from covidct.commands import DONE, FAILED
from covidct.commands.shared import run_folder, say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("promote", help="put a run's model to use")
    parser.add_argument("name", metavar="RUN")
    parser.add_argument(
        "--despite-worse",
        action="store_true",
        help="even if it does worse than the model in use, or nobody can tell",
    )
    parser.set_defaults(run=_promote)


def _promote(options: argparse.Namespace) -> int:
    from covidct.errors import NoUnseenSlices
    from covidct.evaluation.compare import compare
    from covidct.inference.promotion import promote
    from covidct.reports.words import overlaps

    folder = run_folder(options.name)
    if not options.despite_worse:
        try:
            comparison = compare(folder)
        except NoUnseenSlices as error:
            verdict, is_better = str(error), False
        else:
            verdict, is_better = str(comparison.verdict), not comparison.is_worse
            if comparison.masks:
                say(overlaps(**comparison.masks))
        say(verdict)
        if not is_better:
            say("It was not promoted. To promote it nevertheless, add --despite-worse.")
            return FAILED
    say(f"The model in use is {promote(folder)} now. To go back: python -m covidct rollback")
    return DONE
