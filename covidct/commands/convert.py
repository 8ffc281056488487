"""The command that brings a model of an earlier version to the format of this one."""

from __future__ import annotations

import argparse

from covidct.commands import DONE
from covidct.commands.shared import say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("convert", help="a model of an earlier version to today's format")
    parser.add_argument("model", metavar="NAME", help="a promoted model, or a run's folder")
    parser.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> int:
    from covidct.inference.store import find_model
    from covidct.training.convert import convert_earlier

    card = convert_earlier(find_model(options.model))
    say(f"The model is {card.model_id} now. The file that it was made from is kept beside it.")
    return DONE
