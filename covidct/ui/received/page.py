"""The Received page: series that were sent to this server's DICOM node, newest first."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import streamlit as st

from covidct.messages import joined, ngettext
from covidct.reports.words import cautions
from covidct.ui import access, strings
from covidct.ui.diagnose.page import say_no_slice, show_groups
from covidct.ui.diagnose.uploads import sort_uploads
from covidct.ui.received.server_node import served
from covidct.ui.shared import about_model, network
from covidct.ui.strings import _
from covidct.ui.widgets import callout, hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from covidct.archive.inbox import Inbox, Received
    from covidct.inference.judge import Judged, SeriesJudged

_CHOSEN, _OPENED = "received_chosen", "received_opened"
_POLL = 2.0  # seconds between two looks whether a verdict has come


def page() -> None:
    """From the table of series to the slice that is chosen of one of them."""
    st.title(_("Received"), anchor=False)
    node = served()
    if node is None or not access.may_use_archive():
        callout(_(strings.NO_ARCHIVE), _(strings.NO_ARCHIVE_ROLE), tone="stop")
        return
    if node.settings is None or node.inbox is None:
        callout(_("The DICOM node does not run."), _(node.problem), tone="stop")
        return
    hint(
        _(
            strings.RECEIVED_HINT,
            title=node.settings.ae_title,
            port=node.settings.port,
            quiet=node.settings.quiet,
        )
    )
    came = node.inbox.received()
    _list(came, node.inbox.let_go)
    _watch(node.inbox, _state(came))
    chosen = next(
        (one for one in came if one.arrival.number == st.session_state.get(_CHOSEN)), None
    )
    if chosen is None:
        st.session_state.pop(_OPENED, None)
    else:
        _open(chosen)


def _list(came: Sequence[Received], let_go: int) -> None:
    """The series as a table; a row that is selected there is opened."""
    from covidct.archive.receiving import described
    from covidct.inference.judge import verdict_among

    if let_go:
        gone = ngettext(
            "{count} older series was let go to make room.",
            "{count} older series were let go to make room.",
            let_go,
        )
        hint(_(gone))
    if not came:
        callout(_("No series has come yet."), tone="note")
        return
    told = [described(one.arrival) for one in came]
    verdicts = [verdict_among(chain.from_iterable(one.outcomes)) for one in came]
    probability = _("Probability")
    key = f"received {_state(came)}"
    st.dataframe(
        {
            _("Received"): [f"{one.arrival.received:%Y-%m-%d %H:%M:%S}" for one in came],
            _("Patient ID"): [patient for patient, _description in told],
            _("Description"): [description for _patient, description in told],
            _("Slices"): [len(one.arrival.files) for one in came],
            _("Decision"): [_(one.prediction.decision) if one else "" for one in verdicts],
            probability: [100 * one.prediction.probability if one else None for one in verdicts],
            _("Remarks"): [_remark(one, said) for one, said in zip(came, verdicts, strict=True)],
        },
        column_config={
            probability: st.column_config.ProgressColumn(
                format="%.1f%%", min_value=0, max_value=100, width="small"
            )
        },
        hide_index=True,
        placeholder="",
        key=key,
        selection_mode="single-row",
        on_select=lambda: _choose(came, key),
    )


def _choose(came: Sequence[Received], key: str) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        st.session_state[_CHOSEN] = came[rows[0]].arrival.number
        st.session_state.pop("series_slice", None)


def _remark(received: Received, verdict: SeriesJudged | Judged | None) -> str:
    notes = [*received.arrival.notes, *(note for one in received.groups for note in one.notes)]
    if verdict:
        notes += cautions(verdict.prediction, None)
    if received.problem:
        notes.append(received.problem)
    if received.stored:
        notes.append(received.stored.sentence)
    return _(joined(*notes))


def _open(chosen: Received) -> None:
    """The series as if it had been dropped, with the verdicts that it has."""
    from covidct.inference.judge import Judged

    arrival = chosen.arrival
    stamp = arrival.number, len(arrival.files)
    classifier = network.require_classifier()
    if st.session_state.get(_OPENED, (None,))[0] != stamp:
        st.session_state[_OPENED] = stamp, sort_uploads(arrival.files)
        cases = [case for group in st.session_state[_OPENED][1] for case in group.cases]
        outcomes = [
            outcome
            for group, found in zip(chosen.groups, chosen.outcomes, strict=True)
            for outcome in found[: len(group.cases)]
        ]
        known = st.session_state.setdefault("outcomes", {})
        for case, outcome in zip(cases, outcomes, strict=False):
            if isinstance(outcome, Judged):
                known[case.content, outcome.prediction.model_id] = outcome
    groups = st.session_state[_OPENED][1]
    for note in arrival.notes:
        callout(_(note), tone="caution")
    if not show_groups(groups, classifier):
        say_no_slice(groups)
    about_model.show(classifier.card)


def _state(came: Sequence[Received]) -> str:
    """What changes with each verdict that comes."""
    return f"{len(came)} {came[0].arrival.received}" if came else ""


@st.fragment(run_every=_POLL)
def _watch(inbox: Inbox, shown: str) -> None:
    """Draw the page again once another verdict has come."""
    if _state(inbox.received()) != shown:
        st.rerun()
