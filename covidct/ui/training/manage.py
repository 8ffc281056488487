"""What is done to a run as a folder: rename, download, delete."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import streamlit as st

from covidct.errors import CovidCTError
from covidct.training import jobs
from covidct.ui.shared.attempts import attempt
from covidct.ui.strings import _
from covidct.ui.widgets import download, hint


def show(run: Path, live: bool, chosen_run: str) -> None:
    """Draw the three actions; a live run can only be looked at.

    Args:
        run: the run's folder.
        live: whether it is in progress.
        chosen_run: key of the session state that names the run on show.
    """
    with st.expander(_("Rename, download or delete"), key=f"manage {run.name}"):
        if live:
            hint(_("Possible once the run has ended."))
            return
        name, rename, fetch, delete = st.columns(
            [4, 2, 2, 2], gap="small", vertical_alignment="bottom"
        )
        name.text_input(_("Name"), value=run.name, key=f"new name {run.name}", max_chars=60)
        rename.button(
            _("Rename"),
            width="stretch",
            on_click=_rename,
            args=(run, f"new name {run.name}", chosen_run),
        )
        with fetch:
            download(
                _("Download"),
                f"{run.name}.zip",
                "application/zip",
                lambda: _zipped(run),
                width="stretch",
            )
        with delete.popover(_("Delete"), icon=":material/delete:", width="stretch"):
            st.markdown(_("Settings, curves, log and weights of this run go for good."))
            st.button(
                _("Delete this run"),
                type="primary",
                key=f"delete {run.name}",
                on_click=attempt,
                args=(jobs.delete, run),
            )


def _rename(run: Path, name_key: str, chosen_run: str) -> None:
    def act() -> None:
        st.session_state[chosen_run] = jobs.rename(run, st.session_state[name_key].strip()).name

    attempt(act)


def _zipped(run: Path) -> bytes:
    buffer = BytesIO()
    try:
        jobs.zip_run(run, buffer)
    except CovidCTError as error:
        raise RuntimeError(str(error)) from error
    return buffer.getvalue()
