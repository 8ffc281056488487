"""The command that fetches the public COVID-CT set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from covidct.commands import DONE
from covidct.commands.shared import say

if TYPE_CHECKING:
    from covidct.data.download import Download


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("fetch", help="fetch the public COVID-CT data set")
    parser.add_argument("--to", type=Path, metavar="DIR", help="the folder to make")
    parser.add_argument("--source", metavar="URL", help="a copy of upstream's layout elsewhere")
    parser.set_defaults(run=_fetch)


def _fetch(options: argparse.Namespace) -> int:
    from covidct.data.fetch import COVID_CT_URL, fetch

    with _download_bar() as report:
        folder = fetch(options.to, source=options.source or COVID_CT_URL, report=report)
    say(f"COVID-CT is whole in {folder}.")
    return DONE


@contextmanager
def _download_bar() -> Iterator[Callable[[Download], None]]:
    """A progress bar for each file on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("", total=None)
        yield lambda at: bars.update(
            bar, description=f"{at.file} ({at.step})", completed=at.received, total=at.total
        )
