"""The command that converts pretrained trunks to the integers that are shipped."""

from __future__ import annotations

import argparse
from pathlib import Path

from covidct.commands import DONE
from covidct.commands.shared import add_masks_option, progress_of_steps, say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "convert-backbone",
        help="pretrained trunks, with what they tell of opacities, as shipped",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="to calibrate on")
    add_masks_option(
        parser,
        "of which backbones of Astra learn opacities; needed for these",
        needs_masks=False,
    )
    parser.add_argument("--backbone", default="astra_lite", metavar="NAME")
    parser.set_defaults(run=_convert_backbone, usage_error=parser.error)


def _convert_backbone(options: argparse.Namespace) -> int:
    from covidct.models.backbones import get_backbone

    has_places = get_backbone(options.backbone).has_opacity_places
    if has_places and not options.masks:
        options.usage_error(f"--masks is needed: {options.backbone} learns opacities from them")
    if options.masks and not has_places:
        options.usage_error(f"--masks is for Astra: {options.backbone} has no layer for opacities")

    from covidct.training.trunks import ship_graph, ship_opacity_places

    if has_places:
        ship_opacity_places(options.masks, progress_of_steps)
    ship_graph(options.data, options.backbone, progress_of_steps)
    say(f"The graph of {options.backbone} is in weights/pretrained.")
    return DONE
