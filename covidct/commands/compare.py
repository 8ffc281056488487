"""The command that shows a run beside the model in use."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from covidct.commands import DONE
from covidct.commands.shared import print_classes, print_rates, run_folder, say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("compare", help="a run beside the model in use")
    parser.add_argument("--run", required=True, metavar="RUN", dest="name")
    parser.add_argument("--model", metavar="NAME", help="another model to compare with")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    from covidct.evaluation.compare import compare
    from covidct.inference.learnt import how_many_learnt
    from covidct.inference.store import find_model
    from covidct.reports.words import overlaps

    comparison = compare(run_folder(options.name), find_model(options.model))
    if options.json:
        print(json.dumps(asdict(comparison), ensure_ascii=False))
        return DONE
    validated = len(comparison.slices) + comparison.left_out
    for figures in (comparison.candidate, comparison.incumbent):
        say(figures["model_id"])
        print_rates(figures)
        print_classes(figures)
        say(how_many_learnt(figures["learnt"], validated - (figures["learnt"] or 0)))
    low, high = comparison.auc_difference_ci95
    say(f"Difference in AUC {comparison.auc_difference:+.3f} (95 % {low:+.3f} to {high:+.3f}).")
    say(comparison.verdict)
    if comparison.masks:
        say(overlaps(**comparison.masks))
    return DONE
