"""A series on its way from the archive into the memory of the server."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from covidct.errors import CovidCTError
from covidct.messages import N_
from covidct.ui import access
from covidct.ui.diagnose.uploads import sort_uploads
from covidct.ui.strings import _
from covidct.ui.widgets import callout

if TYPE_CHECKING:
    from covidct.archive.dicomweb import Archive
    from covidct.archive.listed import ArchivedSeries
    from covidct.inference.cases import CaseGroup

_FETCHED = "archive_fetched"
_EVERY = 8  # objects between two drawings of the progress
_CANCELLED = N_("This was cancelled. Nothing of the series was kept.")


@dataclass(frozen=True, slots=True, eq=False)
class _Fetched:
    """What came of a series.

    Attributes:
        series: its UID.
        groups: its slices, ready to be judged.
        note: what is missing of it, else empty.
        problem: why nothing is there, else empty.
    """

    series: str
    groups: list[CaseGroup]
    note: str = ""
    problem: str = ""


def fetched(archive: Archive, chosen: ArchivedSeries) -> list[CaseGroup]:
    """The slices of a series, fetched once; none where that failed, which is said."""
    held: _Fetched | None = st.session_state.get(_FETCHED)
    if held is None or held.series != chosen.series:
        forget()
        held = st.session_state[_FETCHED] = _fetch(archive, chosen)
        st.session_state.pop("series_slice", None)
    if held.problem:
        callout(_("The series was not fetched."), _(held.problem), tone="stop")
        st.button(_("Fetch it again"), on_click=forget)
    if held.note:
        callout(_(held.note), tone="caution")
    return held.groups


def series_held() -> str:
    """The UID of the series whose slices are held, empty where none is."""
    held: _Fetched | None = st.session_state.get(_FETCHED)
    return held.series if held else ""


def forget() -> None:
    """Hold no series any more."""
    st.session_state.pop(_FETCHED, None)


def _fetch(archive: Archive, chosen: ArchivedSeries) -> _Fetched:
    from covidct.archive.fetch import expected, fetch, parts_of, shortfall

    progress, cancel = st.empty(), st.empty()
    cancelled = _Fetched(chosen.series, [], problem=_CANCELLED)
    cancel.button(
        _("Cancel"), on_click=st.session_state.update, args=({_FETCHED: cancelled},), key="fetching"
    )
    progress.progress(0.0, _("Fetching from the archive…"))
    files: list[tuple[str, bytes]] = []
    try:
        access.require_archive_role()
        parts = parts_of(archive, chosen)
        listed = expected(parts)
        with closing(fetch(archive, parts)) as coming:
            for file in coming:
                files.append(file)
                if len(files) % _EVERY == 1:
                    share = min(1.0, len(files) / listed) if listed else 0.0
                    progress.progress(share, _told(len(files), listed))
        note = shortfall(parts, len(files))
        found = _Fetched(chosen.series, sort_uploads(files), note=note or "")
    except CovidCTError as error:
        found = _Fetched(chosen.series, [], problem=error.message)
    progress.empty()
    cancel.empty()
    return found


def _told(received: int, listed: int | None) -> str:
    if listed is None:
        return _("Fetching slice {received}", received=received)
    return _("Fetching slice {received} of {listed}", received=received, listed=listed)
