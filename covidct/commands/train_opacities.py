"""The command that makes the network which finds lungs and opacities."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from covidct.commands import DONE, NOTICE
from covidct.commands.shared import add_masks_option, progress_of_steps, say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "train-opacities", help="learn lungs and opacities from hand-drawn masks"
    )
    add_masks_option(
        parser, "with slices, lung-masks and lesion-masks in it, as pictures or NIfTI volumes"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="OUTDIR", help="a new folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=_train_opacities)


def _train_opacities(options: argparse.Namespace) -> int:
    from covidct.evaluation.opacities.cross_validation import train_opacities

    figures = train_opacities(options.masks, options.out, options.seed, progress_of_steps)
    if options.json:
        print(json.dumps(figures))
    else:
        say(*_lines(figures))
        say(f"Written to {options.out}. {NOTICE}")
    return DONE


def _lines(figures: dict[str, Any]) -> list[str]:
    lines = ["Out of patient:"]
    for source, row in figures["by_source"].items():
        detected, false = row["detected"], row["falsely_detected"]
        lines.append(
            f"  {source}: {row['slices']} slices of {row['patients']} patients, lungs Dice "
            f"{row['lungs_dice']:.3f}, called opaque {detected['slices']} of {detected['of']} with "
            f"and {false['slices']} of {false['of']} without opacities"
        )
        if row["opacities_dice"] is not None:
            lines.append(
                f"    opacities Dice {row['opacities_dice']:.3f}, error of their share "
                f"{row['share_error']:.3f}, {row['opacities_in_lungs']:.3f} of them in the lungs"
            )
        lines.append(f"    the network in use: {_dice(figures['in_use'][source])}")
    lines.append("Where the network in use has learnt from these patients, its Dice flatters it.")
    return lines


def _dice(row: dict[str, Any]) -> str:
    lungs = f"lungs Dice {row['lungs_dice']:.3f}"
    opacities = row["opacities_dice"]
    return lungs if opacities is None else f"{lungs}, opacities Dice {opacities:.3f}"
