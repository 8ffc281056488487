"""Run the parts of the bench and put what they measured into one file."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from os import cpu_count
from pathlib import Path

from covidct.benchmark.settings import Settings
from covidct.files import replace_text

# Each is measured by measure_PART(settings) of the module of its name, imported when it is its turn
PARTS = (
    "start",
    "page",
    "verdict",
    "folder",
    "sorting",
    "cluster",
    "memory",
    "growth",
    "epoch",
    "estimate",
    "reference",
)
NEED_DATA = ("epoch", "estimate", "reference")


def run(settings: Settings, parts: Sequence[str], out: Path) -> Iterator[str]:
    """Measure parts, and add each to the file as soon as it is there; figures of parts that are
    not run again stay.

    Args:
        settings: the amounts.
        parts: of `PARTS`.
        out: the JSON file to write.

    Yields:
        The part that is measured next.
    """
    figures = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    for part in parts:
        if part in NEED_DATA and settings.data is None:
            continue
        yield part
        module = import_module(f"covidct.benchmark.{part}")
        figures |= getattr(module, f"measure_{part}")(settings)
        figures |= {"cores": cpu_count(), "measured": f"{datetime.now(UTC):%Y-%m-%d}"}
        replace_text(out, json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
