"""The Diagnose page: slices in, verdicts with their heat maps out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from covidct.errors import UnreadableSlice
from covidct.messages import N_
from covidct.ui import strings
from covidct.ui.archive import fetching, search, send_back
from covidct.ui.diagnose import drop_zone, first_look, keep, series_view, slices_table, walk
from covidct.ui.diagnose.uploads import sort_uploads
from covidct.ui.shared import about_model, close_up, downloads, network, slice_view
from covidct.ui.shared.slice_view import View
from covidct.ui.strings import _, literal
from covidct.ui.widgets import callout

if TYPE_CHECKING:
    from covidct.inference.cases import Case, CaseGroup
    from covidct.inference.classifier import Classifier
    from covidct.inference.judge import Judged, Outcome, Refused, SeriesJudged

_FILES, _ARCHIVE = N_("Files"), N_("Archive")


def page() -> None:
    """From the uploader at the top to the model's card at the bottom."""
    st.title(_(strings.TITLE), anchor=False)
    lead = st.empty()
    archive = search.named_archive()
    if archive and _way_in() == _ARCHIVE:
        groups = search.offer(archive)
        is_given = bool(groups)
        status = st.container()
    else:
        archive = None
        uploads = drop_zone.show()
        status, is_given = st.container(), bool(uploads)
        groups = _dropped(uploads)
    if not is_given:
        lead.html(f'<p class="cv-lead">{literal(_(strings.LEAD))}</p>')

    with status:
        classifier = network.require_classifier()
    outcomes = show_groups(groups, classifier)
    if archive and outcomes:
        send_back.offer(archive, fetching.series_held(), classifier, outcomes)
    elif is_given and not outcomes:
        say_no_slice(groups)
    about_model.show(classifier.card)


def show_groups(
    groups: Sequence[CaseGroup], classifier: Classifier
) -> list[Outcome | SeriesJudged]:
    """Judge files and series, and draw them with their verdicts; the outcomes of all."""
    found = _judge_all([case for group in groups for case in group.cases], classifier)
    if not found:
        series_view.forget()
        return []
    concluded = _conclude(groups, found, classifier)
    _show(groups, concluded, found, classifier)
    return [outcome for of_group in concluded for outcome in of_group]


def say_no_slice(groups: Sequence[CaseGroup]) -> None:
    """Say that there is no slice in what came, and what there is instead."""
    callout(_(strings.NO_SLICE), _(strings.NO_SLICE_HINT), tone="stop")
    series_view.show_left_out([left for group in groups for left in group.left_out])


def _way_in() -> str | None:
    """Where the slices are, which the user chooses."""
    st.session_state.setdefault("way_in", _FILES)
    return st.segmented_control(
        _("Where the slices are"),
        (_FILES, _ARCHIVE),
        format_func=_,
        key="way_in",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )


def _dropped(uploads: Sequence) -> list[CaseGroup]:
    """The files and series in the uploads, sorted once; without any, the first look."""
    if not uploads:
        st.session_state.pop("dropped", None)
        return first_look.offer()
    ids = tuple(upload.file_id for upload in uploads)
    if st.session_state.get("dropped", ((), None))[0] != ids:
        with st.spinner(_("Sorting the files…")):
            found = sort_uploads((upload.name, upload.getvalue()) for upload in uploads)
        st.session_state["dropped"] = ids, found
    return st.session_state["dropped"][1]


def _conclude(
    groups: Sequence[CaseGroup], found: Sequence[Judged | Refused], classifier: Classifier
) -> list[list[Outcome | SeriesJudged]]:
    """The outcomes of each group, the verdict on a series among them."""
    from covidct.inference.judge import conclude

    left, concluded = iter(found), []
    for group in groups:
        of_group = [next(left) for _case in group.cases]
        concluded.append(list(conclude(group, of_group, classifier)))
    return concluded


def _show(
    groups: Sequence[CaseGroup],
    concluded: Sequence[Sequence[Outcome | SeriesJudged]],
    found: Sequence[Judged | Refused],
    classifier: Classifier,
) -> None:
    """A series: its verdict, the slice that is open, its course. Files: the slice, their table."""
    from covidct.inference.judge import Judged, SeriesJudged

    outcomes = [outcome for of_group in concluded for outcome in of_group]
    of_slices = [
        outcome
        for group, of_group in zip(groups, concluded, strict=True)
        for outcome in of_group[: len(group.cases)]
        if not isinstance(outcome, SeriesJudged)
    ]
    series = _only_series(groups, concluded)
    if series:
        walked: Sequence[Case] = series[0].cases
        at = series_view.show_verdict(*series, classifier.card)
        opened = st.container()
    else:
        series_view.forget()
        of_slices = slices_table.ranked(of_slices)
        walked = [outcome.case for outcome in of_slices]
        at = walk.position(walked)
        opened, beside = st.container(), st.container()
        if len(walked) > 1:
            opened, beside = st.container(key="files").columns(2)
            with beside:
                slices_table.summarise(of_slices)
                slices_table.show(of_slices, at, beside=True)
                _show_notes(groups)
        with beside:
            _show_left_out(groups)
    chosen = next(one for one in found if one.case is walked[at])
    # What is refused alone may be set aside in its series
    told = next(one for one in of_slices if one.case is walked[at])
    reason = "" if isinstance(told, Judged) else told.reason
    notes = [note for group in groups if group.is_series for note in group.notes]
    with opened:
        along = series_view.axis(walked) if series else ""
        walk.show(walked, at, slices_table.badge(told), along)
        _details(chosen, reason, classifier, outcomes, notes)
    if series:
        series_view.show_course(*series, classifier.card)
        with st.expander(_("All slices")):
            slices_table.show(of_slices, at)
        _show_left_out(groups)


def _only_series(
    groups: Sequence[CaseGroup], concluded: Sequence[Sequence[Outcome | SeriesJudged]]
) -> tuple[CaseGroup, Sequence[Outcome | SeriesJudged]] | None:
    """The series with its outcomes, where all slices are of one."""
    from covidct.inference.cases import SetAside

    with_slices = [
        (group, outcomes)
        for group, outcomes in zip(groups, concluded, strict=True)
        if any(not isinstance(outcome, SetAside) for outcome in outcomes)
    ]
    return with_slices[0] if len(with_slices) == 1 and with_slices[0][0].is_series else None


def _show_left_out(groups: Sequence[CaseGroup]) -> None:
    series_view.show_left_out([left for group in groups for left in group.left_out])


def _show_notes(groups: Sequence[CaseGroup]) -> None:
    """What there is to say on the series among other files."""
    for group in groups:
        for note in group.notes if group.is_series else ():
            said = _(
                "{slices} slices from {first} on: {note}",
                slices=len(group.cases),
                first=group.cases[0].name,
                note=note,
            )
            callout(said, tone="note")


def _judge_all(cases: Sequence[Case], classifier: Classifier) -> list[Judged | Refused]:
    """The outcome of each case, asked of the network once a session and content.

    The first slice is kept for the close-up, which is mostly of it.
    """
    from covidct.inference.judge import Judged, Refused, judge_slices

    keys = [_key(case, classifier) for case in cases]
    shown = _keep_only("shown", keys)
    _keep_only("despite_gate", keys)
    outcomes = _keep_only("outcomes", keys)
    if st.session_state.get("cancelled") not in (None, keys):
        st.session_state["cancelled"] = None
    progress, cancel = st.empty(), st.empty()
    left = {key: case for key, case in zip(keys, cases, strict=True) if key not in outcomes}

    def say(ahead: int = 0) -> None:
        number = len(cases) - sum(key not in outcomes for key in left)
        where = {"number": min(number + 1, len(cases)), "slices": len(cases)}
        told = (
            _(
                "Reading slice {number} of {slices}: waiting, {ahead} before you",
                ahead=ahead,
                **where,
            )
            if ahead
            else _("Reading slice {number} of {slices}", **where)
        )
        progress.progress(number / len(cases), told)

    if left and not st.session_state.get("cancelled"):
        if len(left) > 1:
            cancel.button(
                _("Cancel"), on_click=st.session_state.update, args=({"cancelled": keys},)
            )
        say()
        with closing(judge_slices(classifier, left.values(), waiting=say)) as found:
            for key, outcome in zip(left, found, strict=True):
                if isinstance(outcome, Judged):
                    if outcome.seen and not shown:
                        shown[key] = View(outcome.case, *outcome.seen)
                    outcome = outcome.summary()
                outcomes[key] = outcome
                say()
    progress.empty()
    cancel.empty()
    if left:
        network.give_freed_memory_back()
    if any(key not in outcomes for key in keys):
        st.button(
            _("Go on with the rest"), on_click=st.session_state.update, args=({"cancelled": None},)
        )
    return [
        replace(outcomes[key], case=case)
        if key in outcomes
        else Refused(case, UnreadableSlice(strings.CANCELLED))
        for key, case in zip(keys, cases, strict=True)
    ]


def _view(outcome: Judged | Refused, classifier: Classifier) -> View:
    """The slice on show; one is held at a time."""
    from covidct.inference.judge import Refused

    key = _key(outcome.case, classifier)
    shown = _keep_only("shown", [key])
    if key not in shown:
        reason = outcome.reason if isinstance(outcome, Refused) else ""
        shown[key] = slice_view.open_view(outcome.case, classifier, reason)
    return replace(shown[key], case=outcome.case)


def _key(case: Case, classifier: Classifier) -> tuple[str, str]:
    return case.content, classifier.card.model_id


def _keep_only(store: str, keys: list[tuple[str, str]]) -> dict:
    """One of the session's stores, without what is no longer on the page."""
    held = st.session_state.get(store, {})
    st.session_state[store] = {key: held[key] for key in keys if key in held}
    return st.session_state[store]


def _details(
    chosen: Judged | Refused,
    reason: str,
    classifier: Classifier,
    outcomes: Sequence[Outcome | SeriesJudged],
    notes: list[str],
) -> None:
    """One file: why it has no verdict, or its verdict and pictures."""
    from covidct.inference.judge import Refused, SeriesJudged

    key = _key(chosen.case, classifier)
    despite_gate = st.session_state["despite_gate"]
    if isinstance(chosen, Refused) and not (chosen.is_readable and key in despite_gate):
        callout(_("This file was not classified."), _(reason), tone="stop")
        if chosen.is_readable:
            st.button(
                _(strings.LOOK_ANYWAY),
                key="look",
                on_click=despite_gate.update,
                args=({key: True},),
            )
        downloads.show(outcomes, classifier)
    else:
        view = _view(chosen, classifier)
        close_up.show(view, classifier, outcomes, notes)
        of_group = [one.case for one in outcomes if not isinstance(one, SeriesJudged)]
        keep.offer(view, [case for case in of_group if case.group == chosen.case.group])
        with st.expander(_("How to read this")):
            st.markdown(_(strings.HOW_TO_READ))
