"""The command that measures what the program costs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from covidct.commands import DONE
from covidct.errors import ConfigError
from covidct.messages import N_


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser("bench", help="what the program costs, as ratios")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="figures as JSON")
    parser.add_argument("--only", metavar="PART,…", help="some parts; figures of others stay")
    parser.add_argument("--data", type=Path, metavar="DIR", help="to train on; COVID-CT if fetched")
    parser.add_argument("--model", metavar="NAME", help="a shipped model or a run's folder")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="the growth, as PNG")
    parser.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from covidct.benchmark.picture import draw_growth
    from covidct.benchmark.run import PARTS, run
    from covidct.benchmark.settings import Settings, default_data
    from covidct.evaluation.costs import rows

    parts = options.only.split(",") if options.only else PARTS
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise ConfigError(
            N_(
                "There is no part {unknown}; there are {parts}.",
                unknown=", ".join(unknown),
                parts=", ".join(PARTS),
            )
        )
    settings = Settings(model=options.model, data=options.data or default_data())
    for part in run(settings, parts, options.out):
        print(f"Measuring: {part}", file=sys.stderr, flush=True)
    figures = json.loads(options.out.read_text(encoding="utf-8"))
    table = Table("what", "measured", "target", "met")
    for what, measured, target, met in rows(figures):
        table.add_row(what, measured, target, "yes" if met else "no")
    console = Console()
    console.print(table)
    for kind, stages in figures.get("stages", {}).items():
        shown = ", ".join(f"{stage} {1000 * taken:.1f}" for stage, taken in stages.items())
        console.print(f"{kind}, milliseconds: {shown}")
    if options.picture and "growth" in figures:
        draw_growth(figures["growth"], options.picture)
    return DONE
