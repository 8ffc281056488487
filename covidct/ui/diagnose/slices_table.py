"""The table of all slices: one press anywhere in a row opens its slice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import streamlit as st

from covidct.messages import joined, ngettext
from covidct.reports.words import cautions, leaning
from covidct.ui.diagnose import walk
from covidct.ui.strings import _, literal, percent
from covidct.ui.widgets import hint

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

    from covidct.inference.judge import Outcome

_KEY = "summary"
_ROW, _ROWS = 35, 12  # pixels, as Streamlit draws them; what is shown at once, with the head
# Pixels of columns beside the picture, together with the rest as wide as style.css makes its place
_FILE, _DECISION, _PERCENT = 96, 104, 56


def ranked(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The most suspicious first, then what has no verdict, in its order."""
    from covidct.inference.judge import Judged

    judged = [one for one in outcomes if isinstance(one, Judged)]
    others = [one for one in outcomes if not isinstance(one, Judged)]
    return [*sorted(judged, key=lambda one: -one.prediction.probability), *others]


def summarise(outcomes: Sequence[Outcome]) -> None:
    """How many files there are, and how many of them came to what."""
    counts = Counter(map(_decision, outcomes))
    counted = ", ".join(f"{count} {decision}" for decision, count in counts.items())
    st.subheader(_(ngettext("{count} file", "{count} files", len(outcomes))), anchor=False)
    hint(_("{counted}. Press a row to see its slice.", counted=counted))


def show(outcomes: Sequence[Outcome], at: int, *, beside: bool = False) -> None:
    """A row for each slice.

    Args:
        outcomes: in the order of the rows.
        at: position of the open one.
        beside: whether it stands beside the picture, which leaves no room for remarks and bars.
            The remarks are told of the slice that is open, and the table's menu shows them.
    """
    from covidct.inference.judge import Judged

    file, decision, probability = _("File"), _("Decision"), _("Probability")
    opaque, remarks = _("Opaque lung"), _("Remarks")
    columns: dict[str, ColumnConfig | None] = {file: st.column_config.TextColumn(width=_FILE)}
    if beside:
        columns |= {
            decision: st.column_config.TextColumn(width=_DECISION),
            probability: st.column_config.NumberColumn(
                _("Prob."), help=_("Probability of COVID-19"), format="%.1f%%", width=_PERCENT
            ),
            opaque: st.column_config.NumberColumn(_("Opaque"), help=opaque, format="%.0f%%"),
            remarks: None,
        }
    else:
        columns |= {
            probability: st.column_config.ProgressColumn(
                format="%.1f%%", min_value=0, max_value=100, width="small"
            ),
            opaque: st.column_config.NumberColumn(format="%.0f%%", width="small"),
            remarks: st.column_config.TextColumn(width="large"),
        }
    st.session_state[_KEY] = {"selection": {"rows": [at], "columns": [], "cells": []}}
    st.dataframe(
        {
            file: [outcome.case.name for outcome in outcomes],
            decision: list(map(_decision, outcomes)),
            probability: [
                100 * one.prediction.probability if isinstance(one, Judged) else None
                for one in outcomes
            ],
            opaque: [
                100 * one.opacities.share_of_lung if isinstance(one, Judged) else None
                for one in outcomes
            ],
            remarks: list(map(_remark, outcomes)),
        },
        column_config=columns,
        hide_index=True,
        height=_ROW * min(_ROWS, len(outcomes) + 1) + 3,
        placeholder="",
        key=_KEY,
        on_select=partial(_open_pressed, outcomes),
        selection_mode=["single-row", "single-cell"],
    )


def badge(outcome: Outcome) -> str:
    """What came of a slice, in a word or two for above its picture, as HTML."""
    from covidct.inference.judge import Judged

    said, tone = _decision(outcome), ""
    if isinstance(outcome, Judged):
        said = f"{said} {percent(outcome.prediction.probability)}"
        tone = f" cv-{outcome.prediction.decision.lower()}"
    return f'<p class="cv-badge{tone}">{literal(said)}</p>'


def _open_pressed(outcomes: Sequence[Outcome]) -> None:
    """Open the slice in whose row somebody pressed."""
    selected = st.session_state[_KEY]["selection"]
    pressed = [row for row, _column in selected["cells"]] or selected["rows"]
    if pressed:
        walk.open_slice(outcomes[pressed[0]].case)


def _decision(outcome: Outcome) -> str:
    from covidct.inference.cases import SetAside
    from covidct.inference.judge import Judged, Refused

    match outcome:
        case Judged():
            return _(outcome.prediction.decision)
        case Refused():
            return _("Refused") if outcome.is_readable else _("Not read")
        case SetAside():
            return _("Set aside")


def _remark(outcome: Outcome) -> str:
    from covidct.inference.judge import Judged

    if not isinstance(outcome, Judged):
        return _(outcome.reason)
    said = leaning(outcome.prediction), cautions(outcome.prediction, outcome.lung_share)
    return _(joined(*chain(*said, outcome.notes)))
