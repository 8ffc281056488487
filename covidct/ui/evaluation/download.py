"""Buttons that hand results over as files."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from covidct.evaluation import jobs
from covidct.ui.strings import _
from covidct.ui.widgets import download


def offer_csv(title: str, name: str, content: Callable[[], str]) -> None:
    """A button for a table, made when it is pressed.

    Args:
        title: of the button.
        name: of the file without its ending; no two on a page are alike.
        content: gives the comma-separated values.
    """
    download(
        title,
        f"{name}.csv",
        "text/csv",
        lambda: content().encode(),
        type="tertiary",
        key=f"csv {name}",
    )


def offer_zip(folder: Path) -> None:
    """A button for all result files of an evaluation."""
    shipped = folder in jobs.shipped_evaluations()
    download(
        _("All results"),
        f"{folder.parent.name if shipped else folder.name}.zip",
        "application/zip",
        lambda: _zipped(folder),
        width="stretch",
        help=_("The files of this evaluation, those that there are, in one ZIP."),
    )


def _zipped(folder: Path) -> bytes:
    buffer = BytesIO()
    jobs.zip_results(folder, buffer)
    return buffer.getvalue()
