"""The view that starts an evaluation: model, data, which slices, Start."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from covidct.data.index import SPLITS, Item, read_index
from covidct.errors import CovidCTError
from covidct.evaluation import jobs
from covidct.home import models_dir
from covidct.inference import promotion
from covidct.jobs.status import why_it_failed
from covidct.ui.strings import literal
from covidct.ui.training import choose_data, words
from covidct.ui.widgets import callout

_MODEL, _SPLIT = "evaluated model", "evaluated split"
_TITLES = {
    "train": "Training list",
    "val": "Validation list",
    "test": "Test list",
    "all": "All slices",
}


def show() -> Path | None:
    """Draw the steps; the evaluation, once one has been started."""
    choice, slices, start = (st.container() for _ in range(3))
    with choice:
        _step(1, "Choose a model")
        model = _choose_model()
    with slices:
        _step(2, "Choose labelled slices")
        data = choose_data.choose()
        split = _choose_split(data) if data else None
    with start:
        return _start(model, data, split)


def _step(number: int, title: str) -> None:
    st.html(f'<h2 class="cv-step"><span>{number}</span>{title}</h2>')


def _choose_model() -> Path:
    models = promotion.list_models()
    return st.selectbox(
        "Model",
        models,
        key=_MODEL,
        format_func=lambda folder: _option(folder, folder == models[0]),
        label_visibility="collapsed",
        persist_state="session",
    )


def _option(folder: Path, in_use: bool) -> str:
    origin = {promotion.SHIPPED_DIR: "shipped", models_dir(): "promoted"}.get(
        folder.parent, "training run"
    )
    return f"{folder.name} · {origin}{', in use' if in_use else ''}"


def _choose_split(data: Path) -> str | None:
    """Which of the slices; None where the folder is no data set."""
    try:
        index = read_index(data)
    except CovidCTError as error:
        callout("This data set cannot be used.", str(error), tone="stop")
        return None
    splits = ["all", *(split for split in SPLITS if split in index.splits)]
    split = st.segmented_control(
        "Slices",
        splits,
        default="val" if "val" in splits else "all",
        key=f"{_SPLIT} {data}",
        required=True,
        format_func=_TITLES.__getitem__,
        persist_state="session",
    )
    st.html(f'<p class="cv-hint">{_counted(index.subset(split))}</p>')
    return split


def _counted(items: tuple[Item, ...]) -> str:
    ill = sum(item.label for item in items)
    patients = len({item.patient for item in items})
    return (
        f"{words.count(len(items), 'slice')} of {words.count(patients, 'patient')}: {ill:,} with "
        f"COVID-19, {len(items) - ill:,} without."
    )


def _start(model: Path, data: Path | None, split: str | None) -> Path | None:
    going = jobs.live_evaluation()
    hindrance = ""
    if going:
        hindrance = f"“{going.name}” is in progress; one evaluation at a time."
    elif split is None:
        hindrance = "Choose labelled slices first (step 2)."
    pressed = st.button(
        "Evaluate and audit",
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(hindrance),
    )
    st.html(
        f'<p class="cv-hint" role="status">{literal(hindrance)}</p>'
        if hindrance
        else '<p class="cv-hint">It goes on when this page is closed. The audit asks the network '
        "a dozen times about each slice, so it takes longer than the evaluation.</p>"
    )
    if not pressed or hindrance or data is None or split is None:
        return None
    try:
        return jobs.start(model, data, split)
    except (CovidCTError, OSError) as error:
        callout("The evaluation was not started.", why_it_failed(error), tone="stop")
        return None
