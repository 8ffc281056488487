"""Commands that convert networks to what is used: convert, convert-backbone."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from covidct.commands import DONE


def add_commands(
    commands: argparse._SubParsersAction, progress: Callable[[str], Callable[[Iterable], Iterable]]
) -> None:
    """Add them to the command line.

    Args:
        commands: of the program.
        progress: from a title to what wraps steps that take long.
    """
    convert = commands.add_parser("convert", help="a model of an earlier version to today's format")
    convert.add_argument("model", metavar="NAME", help="a promoted model, or a run's folder")
    convert.set_defaults(run=_convert)

    backbone = commands.add_parser(
        "convert-backbone", help="pretrained trunks to the integers that are shipped"
    )
    backbone.add_argument("--data", type=Path, required=True, metavar="DIR", help="to calibrate on")
    backbone.add_argument("--backbone", default="astra_lite", metavar="NAME")
    backbone.set_defaults(run=lambda options: _convert_backbone(options, progress))


def _convert(options: argparse.Namespace) -> int:
    from covidct.inference.store import find_model
    from covidct.training.convert import convert_earlier

    card = convert_earlier(find_model(options.model))
    print(f"The model is {card.model_id} now. The file that it was made from is kept beside it.")
    return DONE


def _convert_backbone(options: argparse.Namespace, progress: Callable) -> int:
    from covidct.training.trunks import ship_graph

    ship_graph(options.data, options.backbone, lambda steps, title: progress(title)(steps))
    print(f"The graph of {options.backbone} is in weights/pretrained.")
    return DONE
