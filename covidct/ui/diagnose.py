"""The Diagnose page: slices in, verdicts with their heat maps out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from covidct.imaging.series import Place
from covidct.reports.result import Result, with_ends
from covidct.reports.words import is_mostly_outside
from covidct.ui import close_up, examine, first_look, network, series_view, take_away, texts
from covidct.ui.examine import Case, Outcome, View
from covidct.ui.uploads import Dropped, sort_uploads
from covidct.ui.widgets import callout

if TYPE_CHECKING:
    from covidct.inference.classifier import Classifier


def page() -> None:
    """From the uploader at the top to the model's card at the bottom."""
    close_up.keep_controls()
    st.title(texts.TITLE, anchor=False)
    st.html(f'<p class="cv-lead">{texts.LEAD}</p>')
    uploads = st.file_uploader(texts.UPLOADER, accept_multiple_files=True, key="uploads")
    st.html(f'<p class="cv-hint">{texts.FORMATS}</p>')
    status = st.container()
    if uploads:
        dropped = _dropped(uploads)
    else:
        st.session_state.pop("dropped", None)
        dropped = Dropped(tuple(first_look.offer()))
    cases = dropped.cases

    with status:
        classifier = network.require_classifier()
    outcomes = _judge_all(cases, classifier)
    if cases:
        results = _results(dropped, outcomes)
        chosen = _choose(dropped, outcomes, results, classifier)
        notes = [note for series in dropped.series for note in series.notes]
        results += _left_out(dropped, results)
        _details(cases[chosen], outcomes[chosen], classifier, results, chosen, notes)
    elif uploads:
        callout(texts.NO_SLICE, texts.NO_SLICE_HINT, tone="stop")
        series_view.show_set_aside(dropped.set_aside)
    network.show_about(classifier.card)


def _dropped(uploads: Sequence) -> Dropped:
    """The slices in the uploads, sorted once."""
    ids = tuple(upload.file_id for upload in uploads)
    if st.session_state.get("dropped", ((), None))[0] != ids:
        with st.spinner("Sorting the files…"):
            found = sort_uploads((upload.name, upload.getvalue()) for upload in uploads)
        st.session_state["dropped"] = ids, found
        st.session_state.pop("series_slice", None)
    return st.session_state["dropped"][1]


def _choose(
    dropped: Dropped,
    outcomes: Sequence[Outcome],
    results: Sequence[Result],
    classifier: Classifier,
) -> int:
    """Series and table; the position of the slice to show."""
    cases, chosen = dropped.cases, 0
    if len(dropped.series) == 1 and len(dropped.series[0].cases) == len(cases):
        chosen = series_view.show(dropped.series[0], cases, outcomes, classifier.card.calibration)
        with st.expander("All slices"):
            _table(cases, results)
    elif len(cases) > 1:
        chosen = _summary(cases, results)
        for series in dropped.series:
            for note in series.notes:
                whose = f"{len(series.cases)} slices from {cases[series.cases[0]].name} on"
                callout(f"{whose}: {note}", tone="note")
    series_view.show_set_aside(dropped.set_aside)
    return chosen


def _judge_all(cases: Sequence[Case], classifier: Classifier) -> list[Outcome]:
    """The outcome of each case, asked of the network once a session and content.

    The first slice is kept for the close-up, which is mostly of it.
    """
    keys = [_key(case, classifier) for case in cases]
    shown = _keep_only("shown", keys)
    _keep_only("despite_gate", keys)
    outcomes = _keep_only("outcomes", keys)
    if st.session_state.get("cancelled") not in (None, keys):
        st.session_state["cancelled"] = None
    progress, cancel = st.empty(), st.empty()

    def say(number: int, ahead: int = 0) -> None:
        waits = f": waiting, {ahead} before you" if ahead else ""
        progress.progress(number / len(cases), f"Reading slice {number} of {len(cases)}{waits}")

    left = sum(key not in outcomes for key in keys)
    if left > 1 and not st.session_state.get("cancelled"):
        cancel.button("Cancel", on_click=st.session_state.update, args=({"cancelled": keys},))
    for number, (key, case) in enumerate(zip(keys, cases, strict=True), 1):
        if key not in outcomes and not st.session_state.get("cancelled"):
            say(number)
            outcomes[key], view = examine.judge(case, classifier, partial(say, number))
            if view and not shown:
                shown[key] = view
    progress.empty()
    cancel.empty()
    if left:
        network.give_freed_memory_back()
    if any(key not in outcomes for key in keys):
        st.button(
            "Go on with the rest", on_click=st.session_state.update, args=({"cancelled": None},)
        )
    return [outcomes.get(key, examine.CANCELLED) for key in keys]


def _view(case: Case, outcome: Outcome, classifier: Classifier) -> View:
    """The slice on show; one is held at a time."""
    key = _key(case, classifier)
    shown = _keep_only("shown", [key])
    if key not in shown:
        shown[key] = examine.look(case, classifier, outcome.error)
    return shown[key]


def _key(case: Case, classifier: Classifier) -> tuple[str, str]:
    return case.content, classifier.card.model_id


def _keep_only(store: str, keys: list[tuple[str, str]]) -> dict:
    """One of the session's stores, without what is no longer on the page."""
    held = st.session_state.get(store, {})
    st.session_state[store] = {key: held[key] for key in keys if key in held}
    return st.session_state[store]


def _summary(cases: Sequence[Case], results: Sequence[Result]) -> int:
    """The table of all files; the position of the one to show."""
    counts = Counter(map(_decision, results))
    counted = ", ".join(f"{count} {decision}" for decision, count in counts.items())
    st.subheader(f"{len(cases)} files", anchor=False)
    st.html(f'<p class="cv-hint">{counted}. Select a row to see its slice below.</p>')
    selection = _table(
        cases, results, key="summary", on_select="rerun", selection_mode="single-row-required"
    )
    rows = selection["selection"]["rows"]
    return rows[0] if rows and rows[0] < len(cases) else 0


def _table(cases: Sequence[Case], results: Sequence[Result], **selection: str) -> dict:
    """A row for each slice; what is selected, where that is asked for."""
    return st.dataframe(
        {
            "File": [case.name for case in cases],
            "Verdict": [r.prediction.label if r.prediction else "" for r in results],
            "Probability": [
                100 * r.prediction.probability if r.prediction else None for r in results
            ],
            "Decision": list(map(_decision, results)),
            "Remarks": list(map(_remark, results)),
        },
        column_config={
            "File": st.column_config.TextColumn(width="medium"),
            "Probability": st.column_config.ProgressColumn(
                format="%.1f%%", min_value=0, max_value=100, width="small"
            ),
            "Remarks": st.column_config.TextColumn(width="large"),
        },
        hide_index=True,
        placeholder="",
        **selection,
    )


def _decision(result: Result) -> str:
    if result.prediction:
        return result.prediction.decision
    if result.set_aside:
        return "Set aside"
    return "Refused" if result.gated else "Not read"


def _remark(result: Result) -> str:
    if result.error or result.set_aside:
        return result.error or result.set_aside
    flag = (texts.OUTSIDE_LUNGS,) if is_mostly_outside(result.lung_share) else ()
    return " ".join((*flag, *result.notes))


def _results(dropped: Dropped, outcomes: Sequence[Outcome]) -> list[Result]:
    """What became of each slice, to be taken away."""
    first = {number: series.cases[0] for series in dropped.series for number in series.cases}
    results, case_number = [], 0
    for number, (case, outcome) in enumerate(zip(dropped.cases, outcomes, strict=True)):
        start = first.get(number, number)
        case_number += start == number
        results.append(
            Result.at(
                case_number,
                number - start + 1,
                case.place or Place(case.name),
                prediction=outcome.prediction,
                lung_share=outcome.lung_share,
                notes=outcome.notes,
                error=outcome.error,
                gated=outcome.readable and bool(outcome.error),
            )
        )
    for series in dropped.series:
        of_series = slice(series.cases.start, series.cases.stop)
        results[of_series] = with_ends(results[of_series])
    return results


def _left_out(dropped: Dropped, results: Sequence[Result]) -> list[Result]:
    """What was set aside unread: of the one case on the page, else a case of its own."""
    last = results[-1].case
    case = last if last == results[0].case else last + 1
    return [Result.at(case, None, left.place, set_aside=left.reason) for left in dropped.set_aside]


def _details(
    case: Case,
    outcome: Outcome,
    classifier: Classifier,
    results: list[Result],
    chosen: int,
    notes: list[str],
) -> None:
    """One file: its error, or its verdict and pictures."""
    st.html(f'<h2 class="cv-file">{texts.literal(case.name)}</h2>')
    if outcome.error and not _despite_gate(case, outcome, classifier):
        callout("This file was not classified.", outcome.error, tone="stop")
        if outcome.readable:
            despite = st.session_state["despite_gate"]
            key = _key(case, classifier)
            st.button(texts.LOOK_ANYWAY, key="look", on_click=despite.update, args=({key: True},))
        take_away.show(results, classifier.card)
    else:
        close_up.show(_view(case, outcome, classifier), classifier, results, chosen, notes)
        with st.expander("How to read this"):
            st.markdown(texts.HOW_TO_READ)


def _despite_gate(case: Case, outcome: Outcome, classifier: Classifier) -> bool:
    """Whether the user chose to see what the network makes of a refused picture."""
    return outcome.readable and _key(case, classifier) in st.session_state["despite_gate"]
