"""The command that audits: what a model goes by apart from anatomy."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from covidct.commands import DONE, FAILED, NOTICE
from covidct.commands.shared import add_evaluation_options, progress_bar, say


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
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    from covidct.data.sources import read_source
    from covidct.evaluation.audit.run import audit
    from covidct.evaluation.audit.text import as_text
    from covidct.evaluation.results import AUDIT_FILE
    from covidct.inference.classifier import Classifier

    figures = audit(
        Classifier.load(options.model),
        options.data,
        options.split,
        options.out,
        progress_bar("Auditing"),
        masks=options.masks,
        sources=[read_source(text) for text in options.sources],
    )
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        say(*as_text(figures).split("\n"))
        say(f"Written to {options.out}: {AUDIT_FILE}. {NOTICE}")
    return FAILED if figures["skipped"] else DONE
