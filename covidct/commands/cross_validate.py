"""The command that makes a model to ship, by cross-validation."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from covidct.commands import DONE
from covidct.commands.shared import print_rates, progress_of_steps


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "cross-validate", help="measure recipes on folds of patients, keep the best as a model"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--second", type=Path, metavar="DIR", help="another source; its first half is trained on"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="OUTDIR", help="a new folder")
    parser.add_argument("--backbone", default="astra_lite", metavar="NAME")
    parser.add_argument(
        "--views",
        type=int,
        default=8,
        metavar="N",
        help="of each slice, beside three files made of it",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=_cross_validate)


def _cross_validate(options: argparse.Namespace) -> int:
    from covidct.evaluation.recipes.search import cross_validate
    from covidct.training.config import TrainConfig

    config = TrainConfig(backbone=options.backbone, probe_views=options.views, seed=options.seed)
    figures = cross_validate(
        options.data,
        options.second,
        options.out,
        config,
        progress_of_steps,
    )
    print(json.dumps(figures, ensure_ascii=False) if options.json else _as_text(figures))
    return DONE


def _as_text(figures: dict[str, Any]) -> str:
    from covidct.evaluation.audit.text import flips

    print(f"Out of fold: {figures['n']} slices of {figures['patients']} patients")
    print_rates(figures)
    abstaining = figures["abstaining"]
    lines = [
        f"  expected calibration error {figures['expected_calibration_error']:.3f}",
        f"  {abstaining['uncertain']:.1%} uncertain, accuracy of the rest "
        f"{abstaining['accuracy']:.3f}",
        *flips(figures["flips"]),
        "",
        "AUC    accuracy  helped",
    ]
    lines += [
        f"{row['roc_auc']:.3f}  {row['accuracy']:.3f}     {row['helped']:6s}  {row['recipe']} "
        f"{row['note']}"
        for row in figures["recipes"]
    ]
    return "\n".join(lines)
