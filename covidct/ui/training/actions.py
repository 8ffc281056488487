"""The view of the log: who promoted, rolled back, relabelled, deleted or sent what, and when."""

from __future__ import annotations

import streamlit as st

from covidct.jobs.action_log import Action, action_log_file, read_action_log
from covidct.messages import ngettext
from covidct.ui import access
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal
from covidct.ui.training import words
from covidct.ui.widgets import callout, download, hint

_SHOWN = 200


def show() -> None:
    """Draw the view, for those alone who may change something: it names people."""
    access.require_role()
    log = read_action_log()
    if not log.actions and not log.broken_lines:
        hint(_("Nobody has promoted, rolled back, relabelled, deleted or sent anything yet."))
        return
    if log.broken_lines:
        numbers = words.shortened(map(str, log.broken_lines))
        callout(
            _("This log is not as it was written."),
            _(
                "Lines that do not follow from the one before them, or cannot be read: {numbers}. "
                "Something was changed, taken out or damaged there.",
                numbers=numbers,
            ),
            tone="caution",
        )
    st.html(_table(log.actions[:_SHOWN]))
    if (more := len(log.actions) - _SHOWN) > 0:
        hint(
            _(
                ngettext(
                    "One earlier action is in the file alone.",
                    "{count:,} earlier actions are in the file alone.",
                    more,
                )
            )
        )
    download(
        _("Download the log"),
        action_log_file().name,
        "application/jsonl",
        action_log_file().read_bytes,
    )


def _table(actions: tuple[Action, ...]) -> str:
    rows = [
        [literal(told) for told in (words.when(one.when), _who(one), _(one.action), one.what)]
        for one in actions
    ]
    titles = _("When"), _("Who"), _("Action"), _("What")
    return table(titles, rows)


def _who(one: Action) -> str:
    if one.signed_in:
        return one.who
    if one.who:
        return _("account {who} of this computer", who=one.who)
    return _("a visitor, not signed in")
