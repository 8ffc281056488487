"""Buttons that hand results over as files."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from covidct.evaluation import jobs
from covidct.ui.widgets import download


def offer_csv(title: str, content: Callable[[], str]) -> None:
    """A button for a table, made when it is pressed.

    Args:
        title: what it holds; also the file's name, and no two on a page alike.
        content: gives the comma-separated values.
    """
    download(
        f"{title[:1].upper()}{title[1:]} as CSV",
        f"{title.replace(' ', '-')}.csv",
        "text/csv",
        lambda: content().encode(),
        type="tertiary",
        key=f"csv {title}",
    )


def offer_zip(folder: Path) -> None:
    """A button for all result files of an evaluation."""
    shipped = folder in jobs.shipped_evaluations()
    download(
        "All results",
        f"{folder.parent.name if shipped else folder.name}.zip",
        "application/zip",
        lambda: _zipped(folder),
        width="stretch",
        help="The files of this evaluation, those that there are, in one ZIP.",
    )


def _zipped(folder: Path) -> bytes:
    buffer = BytesIO()
    jobs.zip_results(folder, buffer)
    return buffer.getvalue()
