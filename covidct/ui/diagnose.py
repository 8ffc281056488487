"""The Diagnose page: slices in, verdicts with their heat maps out."""

from __future__ import annotations

from collections import Counter
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import streamlit as st

from covidct.imaging import read_hounsfield, read_slice
from covidct.reports.result import Result
from covidct.reports.words import is_mostly_outside
from covidct.ui import close_up, examine, first_look, network, take_away, texts
from covidct.ui.examine import Case, Outcome, View
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
    cases = [_uploaded(file.name, file.getvalue()) for file in uploads] or first_look.offer()

    with status:
        classifier = network.require_classifier()
    outcomes = _judge_all(cases, classifier)
    if cases:
        chosen = _summary(cases, outcomes) if len(cases) > 1 else 0
        results = _results(cases, outcomes)
        _details(cases[chosen], outcomes[chosen], classifier, results, chosen)
    network.show_about(classifier.card)


def _uploaded(name: str, data: bytes) -> Case:
    content = sha256(data).hexdigest()
    return Case(name, content, partial(read_slice, data), partial(read_hounsfield, data), data)


def _judge_all(cases: list[Case], classifier: Classifier) -> list[Outcome]:
    """The outcome of each case, asked of the network once a session and content."""
    keys = [_key(case, classifier) for case in cases]
    _keep_only("shown", keys)
    _keep_only("despite_gate", keys)
    outcomes = _keep_only("outcomes", keys)
    progress = st.empty()
    for number, (key, case) in enumerate(zip(keys, cases, strict=True), 1):
        if key not in outcomes:
            progress.progress(number / len(cases), f"Reading slice {number} of {len(cases)}")
            outcomes[key] = examine.judge(case, classifier)
    progress.empty()
    return [outcomes[key] for key in keys]


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


def _summary(cases: list[Case], outcomes: list[Outcome]) -> int:
    """The table of all files; the position of the one to show."""
    decisions = [_decision(outcome) for outcome in outcomes]
    counts = ", ".join(f"{count} {decision}" for decision, count in Counter(decisions).items())
    st.subheader(f"{len(cases)} files", anchor=False)
    st.html(f'<p class="cv-hint">{counts}. Select a row to see its slice below.</p>')
    selection = st.dataframe(
        {
            "File": [case.name for case in cases],
            "Verdict": [o.prediction.label if o.prediction else "" for o in outcomes],
            "Probability": [
                100 * o.prediction.probability if o.prediction else None for o in outcomes
            ],
            "Decision": decisions,
            "Remarks": [_remark(outcome) for outcome in outcomes],
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
        key="summary",
        on_select="rerun",
        selection_mode="single-row-required",
    )
    rows = selection["selection"]["rows"]
    return rows[0] if rows and rows[0] < len(cases) else 0


def _decision(outcome: Outcome) -> str:
    if outcome.prediction:
        return outcome.prediction.decision
    return "Refused" if outcome.readable else "Not read"


def _remark(outcome: Outcome) -> str:
    if outcome.error:
        return outcome.error
    flag = (texts.OUTSIDE_LUNGS,) if is_mostly_outside(outcome.lung_share) else ()
    return " ".join((*flag, *outcome.notes))


def _results(cases: list[Case], outcomes: list[Outcome]) -> list[Result]:
    """What became of each case, to be taken away."""
    return [
        Result(
            number,
            1,
            case.name,
            prediction=outcome.prediction,
            lung_share=outcome.lung_share,
            notes=outcome.notes,
            error=outcome.error,
        )
        for number, (case, outcome) in enumerate(zip(cases, outcomes, strict=True), 1)
    ]


def _details(
    case: Case, outcome: Outcome, classifier: Classifier, results: list[Result], chosen: int
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
        close_up.show(_view(case, outcome, classifier), classifier, results, chosen)
        with st.expander("How to read this"):
            st.markdown(texts.HOW_TO_READ)


def _despite_gate(case: Case, outcome: Outcome, classifier: Classifier) -> bool:
    """Whether the user chose to see what the network makes of a refused picture."""
    return outcome.readable and _key(case, classifier) in st.session_state["despite_gate"]
