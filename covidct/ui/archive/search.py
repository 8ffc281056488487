"""The second way to slices on the Diagnose page: searched in the DICOM archive."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

from covidct.archive.settings import archive_settings
from covidct.errors import ConfigError, CovidCTError
from covidct.messages import ngettext
from covidct.ui import access, strings
from covidct.ui.archive import fetching
from covidct.ui.strings import _
from covidct.ui.widgets import callout, hint

if TYPE_CHECKING:
    from covidct.archive.dicomweb import Archive
    from covidct.archive.listed import ArchivedSeries
    from covidct.archive.thumbnails import Thumbnails
    from covidct.inference.cases import CaseGroup

_FOUND, _CHOSEN = "archive_found", "archive_chosen"
_EARLIEST = date(1970, 1, 1)
_POLL = 1.0  # seconds between two looks whether thumbnails have come
_ROW_HEIGHT = 48  # pixels


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What a search came to; each has a table of its own."""

    number: int
    series: Sequence[ArchivedSeries]
    more: bool
    thumbnails: Thumbnails


def named_archive() -> Archive | None:
    """The archive, where one is named and this visitor may use it."""
    try:
        settings = archive_settings(access.secrets() or {})
    except ConfigError as error:
        callout(_(strings.NO_ARCHIVE), _(error.message), tone="caution")
        return None
    if settings is None or not access.may_use_archive():
        return None
    from covidct.archive.dicomweb import Archive

    return Archive(settings)


def offer(archive: Archive) -> list[CaseGroup]:
    """Search and table; what was fetched of the series that is chosen there."""
    _search(archive)
    found: _Found | None = st.session_state.get(_FOUND)
    if found is None:
        hint(_(strings.ARCHIVE_HINT))
        return []
    _show(found)
    chosen = st.session_state.get(_CHOSEN)
    return fetching.fetched(archive, chosen) if chosen else []


def _search(archive: Archive) -> None:
    """The form; what it is sent off with is searched for at once."""
    with st.form("archive"):
        patient, accession, days, description = st.columns(4)
        asked = {
            "patient_id": patient.text_input(_("Patient ID"), autocomplete="off"),
            "accession_number": accession.text_input(_("Accession number"), autocomplete="off"),
            "description": description.text_input(_("Series description"), autocomplete="off"),
        }
        between = days.date_input(
            _("Study date"), [], min_value=_EARLIEST, max_value="today", format="YYYY-MM-DD"
        )
        if not st.form_submit_button(_("Search"), type="primary", icon=":material/search:"):
            return
    earlier: _Found | None = st.session_state.pop(_FOUND, None)
    if earlier:
        earlier.thumbnails.cancel()
    st.session_state.pop(_CHOSEN, None)
    fetching.forget()
    try:
        access.require_archive_role()
        with st.spinner(_("Searching the archive…")):
            st.session_state[_FOUND] = _find(archive, asked, between, earlier)
    except CovidCTError as error:
        callout(_("The archive was not searched."), _(error.message), tone="stop")


def _find(
    archive: Archive, asked: dict[str, str], between: tuple[date, ...], earlier: _Found | None
) -> _Found:
    from covidct.archive.query import Query
    from covidct.archive.thumbnails import Thumbnails

    days = "-".join(f"{day:%Y%m%d}" for day in between)
    series, more = archive.search(Query(date=days, **asked))
    number = earlier.number + 1 if earlier else 1
    return _Found(number, series, more, Thumbnails(archive, series))


def _show(found: _Found) -> None:
    """The series as a table; a row that is selected there is chosen."""
    if not found.series:
        callout(_("The archive holds no such series."), tone="note")
        return
    count = len(found.series)
    hint(_(ngettext("{count} series. Select it:", "{count} series. Select one:", count)))
    if found.more:
        hint(_("There are more. Narrow the search to see them."))
    is_complete, pictures = found.thumbnails.is_complete, found.thumbnails.ready()
    key = f"archive_rows {found.number}"
    preview = _("Preview")
    st.container(key="archive_table").dataframe(
        {
            preview: [_address(pictures.get(one.series)) for one in found.series],
            _("Patient ID"): [one.patient_id for one in found.series],
            _("Date"): [one.date for one in found.series],
            _("Modality"): [one.modality for one in found.series],
            _("Description"): [one.description for one in found.series],
            _("Slices"): [one.slices for one in found.series],
        },
        column_config={preview: st.column_config.ImageColumn(width="small")},
        row_height=_ROW_HEIGHT,
        hide_index=True,
        placeholder="",
        key=key,
        selection_mode="single-row",
        on_select=lambda: _choose(found, key),
    )
    if not is_complete and not st.session_state.get(_CHOSEN):
        _watch(found.thumbnails, len(pictures))


def _choose(found: _Found, key: str) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        st.session_state[_CHOSEN] = found.series[rows[0]]


def _address(picture: bytes | None) -> str | None:
    """A picture as an address of its own, which names nothing."""
    return f"data:image/jpeg;base64,{b64encode(picture).decode()}" if picture else None


@st.fragment(run_every=_POLL)
def _watch(thumbnails: Thumbnails, shown: int) -> None:
    """Draw the table again once more thumbnails have come."""
    if thumbnails.is_complete or len(thumbnails.ready()) > shown:
        st.rerun()
