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
from covidct.messages import N_
from covidct.ui.strings import _, literal
from covidct.ui.training import choose_data, words
from covidct.ui.widgets import callout, hint

_MODEL, _SPLIT = "evaluated model", "evaluated split"
_TITLES = {
    "train": N_("Training list"),
    "val": N_("Validation list"),
    "test": N_("Test list"),
    "all": N_("All slices"),
}


def show() -> Path | None:
    """Draw the steps; the evaluation, once one has been started."""
    choice, slices, start = (st.container() for _place in range(3))
    with choice:
        _step(1, _("Choose a model"))
        model = _choose_model()
    with slices:
        _step(2, _("Choose labelled slices"))
        data = choose_data.choose()
        split = _choose_split(data) if data else None
    with start:
        return _start(model, data, split)


def _step(number: int, title: str) -> None:
    st.html(f'<h2 class="cv-step"><span>{number}</span>{literal(title)}</h2>')


def _choose_model() -> Path:
    models = promotion.list_models()
    return st.selectbox(
        _("Model"),
        models,
        key=_MODEL,
        format_func=lambda folder: _option(folder, folder == models[0]),
        label_visibility="collapsed",
        persist_state="session",
    )


def _option(folder: Path, in_use: bool) -> str:
    origins = {promotion.SHIPPED_DIR: N_("shipped"), models_dir(): N_("promoted")}
    origin = origins.get(folder.parent, N_("training run"))
    if in_use:
        return _("{model} · {origin}, in use", model=folder.name, origin=origin)
    return _("{model} · {origin}", model=folder.name, origin=origin)


def _choose_split(data: Path) -> str | None:
    """Which of the slices; None where the folder is no data set."""
    try:
        index = read_index(data)
    except CovidCTError as error:
        callout(_("This data set cannot be used."), _(error.message), tone="stop")
        return None
    splits = ["all", *(split for split in SPLITS if split in index.splits)]
    split = st.segmented_control(
        _("Slices"),
        splits,
        default="val" if "val" in splits else "all",
        key=f"{_SPLIT} {data}",
        required=True,
        format_func=lambda name: _(_TITLES[name]),
        persist_state="session",
    )
    hint(_counted(index.subset(split)))
    return split


def _counted(items: tuple[Item, ...]) -> str:
    ill = sum(item.label for item in items)
    patients = len({item.patient for item in items})
    return _(
        "{slices} of {patients}: {ill:,} with COVID-19, {other:,} without.",
        slices=words.slices(len(items)),
        patients=words.patients(patients),
        ill=ill,
        other=len(items) - ill,
    )


def _start(model: Path, data: Path | None, split: str | None) -> Path | None:
    going = jobs.live_evaluation()
    hindrance = ""
    if going:
        hindrance = _("“{name}” is in progress; one evaluation at a time.", name=going.name)
    elif split is None:
        hindrance = _("Choose labelled slices first (step 2).")
    pressed = st.button(
        _("Evaluate and audit"),
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(hindrance),
    )
    if hindrance:
        st.html(f'<p class="cv-hint" role="status">{literal(hindrance)}</p>')
    else:
        hint(
            _(
                "It goes on when this page is closed. The audit asks the network a dozen times "
                "about each slice, so it takes longer than the evaluation."
            )
        )
    if not pressed or hindrance or data is None or split is None:
        return None
    try:
        return jobs.start(model, data, split)
    except (CovidCTError, OSError) as error:
        callout(_("The evaluation was not started."), _(why_it_failed(error)), tone="stop")
        return None
