"""Buttons that hand results over as files."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import streamlit as st

from covidct.evaluation import jobs


def offer_csv(title: str, content: Callable[[], str]) -> None:
    """A button for a table, made when it is pressed.

    Args:
        title: what it holds; also the file's name, and no two on a page alike.
        content: gives the comma-separated values.
    """
    st.download_button(
        f"{title[:1].upper()}{title[1:]} as CSV",
        data=lambda: content().encode(),
        file_name=f"{title.replace(' ', '-')}.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        key=f"csv {title}",
        on_click="ignore",
    )


def offer_zip(folder: Path) -> None:
    """A button for all result files of an evaluation."""
    shipped = folder in jobs.shipped_evaluations()
    st.download_button(
        "All results",
        data=lambda: _zipped(folder),
        file_name=f"{folder.parent.name if shipped else folder.name}.zip",
        mime="application/zip",
        icon=":material/download:",
        width="stretch",
        help="The files of this evaluation, those that there are, in one ZIP.",
        on_click="ignore",
    )


def _zipped(folder: Path) -> bytes:
    buffer = BytesIO()
    jobs.zip_results(folder, buffer)
    return buffer.getvalue()
