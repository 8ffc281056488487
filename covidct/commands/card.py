"""The command that puts the card of a model to ship together."""

from __future__ import annotations

import argparse
from pathlib import Path

from covidct.commands import DONE


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "card", help="put a model's card and its README together from its files"
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--earlier", type=Path, metavar="DIR", help="name the verdicts that differ from a model's"
    )
    parser.set_defaults(run=_card)


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
