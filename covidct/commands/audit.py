"""The command that audits: what a model goes by apart from anatomy."""

from __future__ import annotations

import argparse
import json

from covidct.commands import DONE, FAILED, NOTICE
from covidct.commands.shared import add_evaluation_options, progress_bar, say


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("audit", help="what a model goes by apart from anatomy")
    add_evaluation_options(parser)
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    from covidct.evaluation.audit.run import audit
    from covidct.evaluation.audit.text import as_text
    from covidct.evaluation.results import AUDIT_FILE
    from covidct.inference.classifier import Classifier

    classifier = Classifier.load(options.model)
    figures = audit(classifier, options.data, options.split, options.out, progress_bar("Auditing"))
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        say(*as_text(figures).split("\n"))
        say(f"Written to {options.out}: {AUDIT_FILE}. {NOTICE}")
    return FAILED if figures["skipped"] else DONE
