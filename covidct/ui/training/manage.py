"""What is done to a run as a folder: rename, download, delete."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import streamlit as st

from covidct.errors import CovidCTError
from covidct.training import jobs
from covidct.ui.training.live import attempt
from covidct.ui.widgets import download


def show(run: Path, live: bool, chosen_run: str) -> None:
    """Draw the three actions; a live run can only be looked at.

    Args:
        run: the run's folder.
        live: whether it is in progress.
        chosen_run: key of the session state that names the run on show.
    """
    with st.expander("Rename, download or delete", key=f"manage {run.name}"):
        if live:
            st.html('<p class="cv-hint">Possible once the run has ended.</p>')
            return
        name, rename, fetch, delete = st.columns(
            [4, 2, 2, 2], gap="small", vertical_alignment="bottom"
        )
        name.text_input("Name", value=run.name, key=f"new name {run.name}", max_chars=60)
        rename.button(
            "Rename",
            width="stretch",
            on_click=_rename,
            args=(run, f"new name {run.name}", chosen_run),
        )
        with fetch:
            download(
                "Download",
                f"{run.name}.zip",
                "application/zip",
                lambda: _zipped(run),
                width="stretch",
            )
        with delete.popover("Delete", icon=":material/delete:", width="stretch"):
            st.markdown("Settings, curves, log and weights of this run go for good.")
            st.button(
                "Delete this run",
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
