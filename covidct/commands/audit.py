"""The command that audits: what a model goes by apart from anatomy."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from covidct.commands import DONE, FAILED, NOTICE
from covidct.commands.shared import (
    add_cluster_option,
    add_evaluation_options,
    prepare_for_cluster,
    progress_bar,
    say,
)

if TYPE_CHECKING:
    from covidct.evaluation.audit.looks import Looker


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("audit", help="what a model goes by apart from anatomy")
    add_evaluation_options(parser)
    parser.add_argument(
        "--masks",
        type=Path,
        nargs="+",
        default=(),
        metavar="DIR",
        help="with slices and lesion-masks in it, to paint opacities out as drawn",
    )
    parser.add_argument(
        "--source",
        dest="sources",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="labelled slices; of several it is asked what tells them apart",
    )
    add_cluster_option(parser, "have slices of DIR looked at")
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    from covidct.data.sources import read_source
    from covidct.evaluation.audit.run import audit
    from covidct.evaluation.audit.text import as_text
    from covidct.evaluation.results import AUDIT_FILE
    from covidct.inference.classifier import Classifier

    with _looker(options) as looker:
        figures = audit(
            Classifier.load(options.model),
            options.data,
            options.split,
            options.out,
            progress_bar("Auditing"),
            masks=options.masks,
            sources=[read_source(text) for text in options.sources],
            looker=looker,
        )
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        say(*as_text(figures).split("\n"))
        say(f"Written to {options.out}: {AUDIT_FILE}. {NOTICE}")
    return FAILED if figures["skipped"] else DONE


@contextmanager
def _looker(options: argparse.Namespace) -> Iterator[Looker]:
    from covidct.evaluation.audit.looks import look_here

    if not options.cluster:
        yield look_here
        return
    prepare_for_cluster(options.cluster)
    from covidct.cluster.audit import looker_of

    with looker_of(options.cluster) as looker:
        yield looker
