"""Commands that make a model to ship: cross-validate, card."""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from covidct.commands import DONE
from covidct.commands.runs import print_rates
from covidct.evaluation.audit_text import flips


def add_commands(
    commands: argparse._SubParsersAction, progress: Callable[[str], Callable[[Iterable], Iterable]]
) -> None:
    """Add them to the command line.

    Args:
        commands: of the program.
        progress: from a title to what wraps steps that take long.
    """
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
    parser.set_defaults(run=lambda options: _run(options, progress))

    card = commands.add_parser(
        "card", help="put a model's card and its README together from its files"
    )
    card.add_argument("folder", type=Path, metavar="FOLDER")
    card.add_argument(
        "--earlier", type=Path, metavar="DIR", help="name the verdicts that differ from a model's"
    )
    card.set_defaults(run=_card)


def _card(options: argparse.Namespace) -> int:
    from covidct.evaluation.card import assemble, compare_with_earlier
    from covidct.evaluation.card_text import README_FILE, as_markdown

    if options.earlier:
        compare_with_earlier(options.folder, options.earlier)
    card = assemble(options.folder)
    card.write(options.folder)
    text = as_markdown(card, options.folder)
    (options.folder / README_FILE).write_text(text, encoding="utf-8")
    return DONE


def _run(options: argparse.Namespace, progress: Callable) -> int:
    from covidct.evaluation.search import cross_validate
    from covidct.training.config import TrainConfig

    config = TrainConfig(backbone=options.backbone, probe_views=options.views, seed=options.seed)
    figures = cross_validate(
        options.data,
        options.second,
        options.out,
        config,
        lambda steps, title: progress(title)(steps),
    )
    print(json.dumps(figures, ensure_ascii=False) if options.json else _as_text(figures))
    return DONE


def _as_text(figures: dict[str, Any]) -> str:
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
