"""Results that go back to the archive, when somebody asks for it and has seen what goes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from covidct.errors import CovidCTError
from covidct.messages import ngettext
from covidct.ui import access, strings
from covidct.ui.strings import _
from covidct.ui.widgets import callout, hint

if TYPE_CHECKING:
    from covidct.archive.dicomweb import Archive
    from covidct.archive.stored import Stored
    from covidct.inference.classifier import Classifier
    from covidct.inference.judge import Outcome, SeriesJudged

    Outcomes = Sequence[Outcome | SeriesJudged]

_SENT = "archive_sent"


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """How far the sending of results came.

    Attributes:
        series: the UID of the series that they are results of.
        told: what the archive has said so far; None where it has said nothing yet.
        total: how many objects there are to be sent.
        problem: what ended it, else empty.
    """

    series: str
    total: int
    told: Stored | None = None
    problem: str = ""


@st.fragment
def offer(archive: Archive, series: str, classifier: Classifier, outcomes: Outcomes) -> None:
    """Let the user choose kinds of results, show what would be sent, and send it when asked.

    Args:
        archive: that the series came from.
        series: its UID.
        classifier: that judged it.
        outcomes: of its slices and of the whole.
    """
    from covidct.archive.send import TITLES, planned, sentence

    if not planned(outcomes, TITLES):
        return
    with st.expander(_("Send results back to the archive"), icon=":material/outbox:"):
        hint(_(strings.SEND_BACK))
        boxes = {kind: st.checkbox(_(title), key=f"send {kind}") for kind, title in TITLES.items()}
        chosen = [kind for kind, is_chosen in boxes.items() if is_chosen]
        plan = planned(outcomes, chosen)
        total = sum(plan.values())
        if total:
            st.dataframe(
                {
                    _("What"): [_(TITLES[kind]) for kind in plan],
                    _("Objects"): list(plan.values()),
                },
                hide_index=True,
            )
            hint(_(sentence(total)))
            button = ngettext("Send {count} object", "Send {count} objects", total)
            if st.button(_(button), type="primary", key="send"):
                _send(archive, series, classifier, outcomes, chosen)
        _say_what_came_of_it(series)


def _send(
    archive: Archive,
    series: str,
    classifier: Classifier,
    outcomes: Outcomes,
    chosen: Collection[str],
) -> None:
    """Send, and keep how far it came, which the user's next press may interrupt."""
    from covidct.archive.send import planned, send

    total = sum(planned(outcomes, chosen).values())
    st.session_state[_SENT] = _Sent(series, total)
    progress = st.empty()
    progress.progress(0.0, _("Sending to the archive…"))
    told = None
    try:
        access.require_archive_role()
        with closing(send(archive, classifier, outcomes, chosen)) as answers:
            for told in answers:
                st.session_state[_SENT] = _Sent(series, total, told)
                progress.progress(min(1.0, told.sent / total), _("Sending to the archive…"))
    except CovidCTError as error:
        st.session_state[_SENT] = _Sent(series, total, told, error.message)
    progress.empty()


def _say_what_came_of_it(series: str) -> None:
    sent: _Sent | None = st.session_state.get(_SENT)
    if sent is None or sent.series != series:
        return
    stored = sent.told.stored if sent.told else 0
    if sent.problem:
        callout(_("Not everything was sent."), _(sent.problem), tone="stop")
    elif sent.told is None or sent.told.sent < sent.total:
        callout(
            _("The sending was interrupted."),
            _("The archive stored {stored} of {total} objects.", stored=stored, total=sent.total),
            tone="caution",
        )
    else:
        callout(_(sent.told.sentence), tone="note" if sent.told.is_whole else "caution")
