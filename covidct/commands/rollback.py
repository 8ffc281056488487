"""The command that goes back to the model that was in use before."""

from __future__ import annotations

import argparse

from covidct.commands import DONE
from covidct.commands.shared import say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("rollback", help="go back to the model in use before")
    parser.set_defaults(run=_rollback)


def _rollback(options: argparse.Namespace) -> int:
    from covidct.inference.promotion import rollback

    say(f"The model in use is {rollback()} now.")
    return DONE
