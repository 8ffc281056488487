"""The command that converts pretrained trunks to the integers that are shipped."""

from __future__ import annotations

import argparse
from pathlib import Path

from covidct.commands import DONE
from covidct.commands.shared import progress_of_steps, say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "convert-backbone", help="pretrained trunks to the integers that are shipped"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="to calibrate on")
    parser.add_argument("--backbone", default="astra_lite", metavar="NAME")
    parser.set_defaults(run=_convert_backbone)


def _convert_backbone(options: argparse.Namespace) -> int:
    from covidct.training.trunks import ship_graph

    ship_graph(options.data, options.backbone, progress_of_steps)
    say(f"The graph of {options.backbone} is in weights/pretrained.")
    return DONE
