"""A slice's label, corrected where the slice is seen."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from covidct.data import corrections
from covidct.data.classes import CLASS_PREFIX, COVID, NON_COVID, class_title
from covidct.data.corrections import AS_FILED, LEFT_OUT, SECOND_LOOK, Correction, read_corrections
from covidct.data.index import UNLABELLED, class_folders, images_folder
from covidct.errors import DatasetError
from covidct.files import sha256_of
from covidct.messages import N_
from covidct.terminal import visible
from covidct.ui import access
from covidct.ui.shared.attempts import attempt
from covidct.ui.strings import _, literal
from covidct.ui.training.words import when
from covidct.ui.widgets import caption, hint

_DECISIONS = {LEFT_OUT: N_("Leave out"), SECOND_LOOK: N_("Second look")}
_TOLD = {
    LEFT_OUT: N_("Corrected: left out"),
    SECOND_LOOK: N_("Marked for a second look"),
}


def offer(data: Path, path: Path, place: str) -> None:
    """Let a slice's label be corrected; who may not do that sees what it was corrected to.

    Args:
        data: the data set folder.
        path: the slice in it.
        place: where on the pages, since a slice may be shown at several at once.
    """
    if not path.is_file() or not path.is_relative_to(images_folder(data)):
        return
    if not access.may_change():
        tell(data, path)
        return
    now, filed = _correction(data, path), _filed(data, path)

    def worded(decision: str) -> str:
        if decision != AS_FILED:
            return _(_DECISIONS.get(decision) or class_title(decision))
        if filed == UNLABELLED:
            return _("No label yet")
        return _("As filed: {label}", label=class_title(filed))

    key = visible(f"label {place} {path}")  # which need not be valid Unicode
    decision = st.session_state[key] = now.decision if now else AS_FILED
    st.selectbox(
        _("Label of {file}", file=visible(path.name)),
        tuple(dict.fromkeys((AS_FILED, *_classes(data), LEFT_OUT, SECOND_LOOK, decision))),
        format_func=worded,
        key=key,
        label_visibility="collapsed",
        on_change=_correct,
        args=(data, path, key),
    )


def explain(data: Path) -> None:
    """What a correction does and where it is kept."""
    hint(
        _(
            "A correction counts from the next run, check and evaluation on. The slice itself "
            "stays as it is; what was decided, when and by whom is kept in {table}. Correct what "
            "the picture shows: if only a model’s mistakes are corrected, its figures flatter.",
            table=corrections.corrections_table(data),
        )
    )


def tell(data: Path, path: Path) -> None:
    """What a slice was corrected to, if it was."""
    if correction := _correction(data, path):
        told = _TOLD.get(correction.decision, N_("Corrected: {label}"))
        caption(_(told, label=class_title(correction.decision)))


def tell_when(correction: Correction) -> None:
    """When a correction was made, and by whom."""
    try:
        told = when(correction.at)
    except ValueError:  # in a table that somebody wrote by hand
        told = correction.at
    st.html(f'<p class="cv-card-line">{literal(told)}<br>{literal(correction.by)}</p>')


def _correct(data: Path, path: Path, key: str) -> None:
    attempt(corrections.correct, data, path, st.session_state[key], access.visitor().who)


def _correction(data: Path, path: Path) -> Correction | None:
    """That of a slice; none where the tables cannot be read, which the data check tells."""
    try:
        known = {one.sha256: one for one in read_corrections(data)}
        return known.get(sha256_of(path)) if known else None
    except (DatasetError, OSError):
        return None


def _filed(data: Path, path: Path) -> str:
    return path.relative_to(images_folder(data)).parts[0].removeprefix(CLASS_PREFIX)


def _classes(data: Path) -> tuple[str, ...]:
    """The classes that a slice of a data set may be of, COVID-19 first."""
    others = class_folders(data).keys() - {COVID}
    return COVID, *(sorted(others) or [NON_COVID])
