"""The command that evaluates: figures of a model on a labelled data set."""

from __future__ import annotations

import argparse
import json

from covidct.commands import DONE, FAILED, NOTICE
from covidct.commands.shared import (
    add_cluster_options,
    add_evaluation_options,
    print_figures,
    progress_bar,
    say,
    slice_judge,
)


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("evaluate", help="figures of a model on a labelled data set")
    add_evaluation_options(parser)
    add_cluster_options(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from covidct.evaluation.evaluate import evaluate
    from covidct.inference.classifier import Classifier

    classifier = Classifier.load(options.model)
    progress = progress_bar("Evaluating")
    with slice_judge(options, fingerprinted=True) as judge:
        figures = evaluate(classifier, options.data, options.split, options.out, progress, judge)
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        print_figures(figures)
        say(f"Written to {options.out}: metrics.json, predictions.csv. {NOTICE}")
    return FAILED if figures["skipped"] else DONE
