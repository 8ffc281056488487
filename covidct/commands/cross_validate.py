"""The command that makes a model to ship, by cross-validation."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covidct.commands import DONE
from covidct.commands.shared import (
    add_cluster_option,
    prepare_for_cluster,
    print_rates,
    progress_of_steps,
    say,
)

if TYPE_CHECKING:
    from covidct.evaluation.recipes.looks import Looker


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "cross-validate", help="measure recipes on folds of patients, keep the best as a model"
    )
    parser.add_argument(
        "--source",
        dest="sources",
        action="append",
        required=True,
        metavar="NAME=DIR[:WEIGHT]",
        help="labelled slices; the first has both classes and is cross-validated",
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
    add_cluster_option(parser, "have slices looked at")
    parser.set_defaults(run=_cross_validate)


def _cross_validate(options: argparse.Namespace) -> int:
    from covidct.data.corrections import told
    from covidct.data.sources import read_source
    from covidct.evaluation.recipes.search import cross_validate
    from covidct.training.config import TrainConfig

    config = TrainConfig(backbone=options.backbone, probe_views=options.views, seed=options.seed)
    sources = [read_source(text) for text in options.sources]
    with _looker(options) as looker:
        figures = cross_validate(sources, options.out, config, progress_of_steps, looker)
    corrected = {source.name: source.corrections for source in sources if source.corrections}
    if options.json:
        print(json.dumps(figures | {"corrections": corrected}, ensure_ascii=False))
    else:
        say(*(f"{name}: {told(counts)}" for name, counts in corrected.items()))
        _say_figures(figures)
    return DONE


@contextmanager
def _looker(options: argparse.Namespace) -> Iterator[Looker]:
    from covidct.evaluation.recipes.looks import look_here

    if not options.cluster:
        yield look_here
        return
    prepare_for_cluster(options.cluster)
    from covidct.cluster.features import looker_of

    beside = options.out.absolute().parent
    beside.mkdir(parents=True, exist_ok=True)
    with looker_of(options.cluster, beside) as looker:
        yield looker


def _say_figures(figures: dict[str, Any]) -> None:
    from covidct.evaluation.audit.text import flips

    say(f"Out of fold: {figures['n']} slices of {figures['patients']} patients")
    print_rates(figures)
    abstaining = figures["abstaining"]
    lines = [
        f"  expected calibration error {figures['expected_calibration_error']:.3f}",
        f"  {abstaining['uncertain']:.1%} uncertain, accuracy of the rest "
        f"{abstaining['accuracy']:.3f}",
        *flips(figures["flips"]),
        "Out of source:",
        *map(_of_source, figures["out_of_source"]),
        "",
        "AUC    accuracy  helped",
    ]
    lines += [
        f"{row['roc_auc']:.3f}  {row['accuracy']:.3f}     {row['helped']:6s}  {row['recipe']} "
        f"{row['note']}"
        for row in figures["recipes"]
    ]
    say(*lines)


def _of_source(row: dict[str, Any]) -> str:
    if "right" in row:
        return f"  {row['source']}: {row['right']:.3f} of {row['n']} called {row['class']}"
    return (
        f"  {row['source']}: AUC {row['roc_auc']:.3f}, sensitivity {row['sensitivity']:.3f}, "
        f"specificity {row['specificity']:.3f}, {row['n']} slices, expected calibration error "
        f"{row['expected_calibration_error']:.3f}"
    )
