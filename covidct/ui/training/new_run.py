"""The view that starts a run: data, check, settings, Start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from covidct.data.index import has_masks
from covidct.errors import CovidCTError
from covidct.jobs.status import why_it_failed
from covidct.messages import joined, ngettext
from covidct.training import jobs, queue
from covidct.training.config import TrainConfig
from covidct.training.sweep import start_sweep
from covidct.ui.strings import _, literal
from covidct.ui.training import (
    choose_data,
    data_report,
    expected,
    fields,
    labels,
    settings,
    sweep_form,
)
from covidct.ui.training.sweep_form import Wanted
from covidct.ui.widgets import callout, hint

if TYPE_CHECKING:
    from covidct.data.check import DataReport

_NAME, _LEARN_MASKS = "new run name", "learn masks"


def show() -> Path | None:
    """Draw the three steps; the run, once one has been started."""
    # Places first, so that what comes and goes in one of them moves nothing in the others
    choice, check, form, start = (st.container() for _place in range(4))
    with choice:
        _step(1, _("Choose data"))
        data = choose_data.choose()
    with check:
        _step(2, _("Check it"))
        report, exclude = _check(data)
        masks = _masks(data) if data and report else ()
    with form:
        _step(3, _("Set the run"))
        samples = [item.path for item in report.samples] if report else []
        wrong = settings.show(report is not None and report.official_lists, samples)
        sweep = sweep_form.ask()
    with start:
        hindrance = _hindrance(data, report is not None, exclude, wrong)
        if report and exclude is not None and not wrong:
            expected.show(report, len(exclude))
        if not hindrance and sweep and sweep.problem:
            hindrance = _("The values of the sweep are to be corrected (step 3).")
        return _start(data, exclude, masks, hindrance, sweep)


def _step(number: int, title: str) -> None:
    st.html(f'<h2 class="cv-step"><span>{number}</span>{literal(title)}</h2>')


def _check(data: Path | None) -> tuple[DataReport | None, tuple[str, ...] | None]:
    """The report on the data, and what to leave out once that is settled."""
    values = settings.current()
    if data is None:
        hint(_("Comes by itself once data is chosen."))
        return None, None
    if {"validation_share", "seed"} & fields.problems(values).keys():
        hint(_("Waits for the settings of validation below."))
        return None, None
    split = (values[name] for name in ("validation_share", "seed", "official_lists"))
    report = data_report.require(data, *split)
    if report:
        data_report.show(report)
    labels.show(data, report)
    if report is None:
        return None, None
    return report, data_report.ask_for_exclusions(data, report)


def _masks(data: Path) -> tuple[Path, ...]:
    """The folder of masks to learn lungs and opacities from, if that is wanted."""
    if not has_masks(data):
        return ()
    wanted = st.toggle(
        _("Learn lungs and opacities from its masks, too"),
        value=True,
        key=_LEARN_MASKS,
        help=_(
            "What is learnt is used only if it finds the opacities of the validation patients "
            "better than the network in use. Off, that one stays."
        ),
        persist_state="session",
    )
    return (data,) if wanted else ()


def _hindrance(
    data: Path | None, checked: bool, exclude: tuple[str, ...] | None, wrong: Mapping[str, str]
) -> str:
    """Why Start is not to be pressed; empty when it is."""
    if data is None:
        return _("Choose data first (step 1).")
    if not checked:
        return _("The data cannot be used as it is (step 2).")
    if exclude is None:
        return _("Settle what was found in the data (step 2).")
    if wrong:
        titles = joined(*(fields.FIELDS[name].title for name in wrong), by=", ")
        return _("To be corrected: {titles}.", titles=titles)
    return ""


def _start(
    data: Path | None,
    exclude: tuple[str, ...] | None,
    masks: tuple[Path, ...],
    hindrance: str,
    sweep: Wanted | None,
) -> Path | None:
    name, button = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    named = name.text_input(
        _("Name of the run"),
        key=_NAME,
        placeholder=_("made from date and network"),
        max_chars=60,
        persist_state="session",
    )
    before = len(queue.queued_runs()) + (jobs.live_run() is not None)
    pressed = button.button(
        _("Add to the queue") if before else _("Start"),
        type="primary",
        icon=":material/playlist_add:" if before else ":material/play_arrow:",
        width="stretch",
        disabled=bool(hindrance),
    )
    if hindrance:
        st.html(f'<p class="cv-hint" role="status">{literal(hindrance)}</p>')
    elif before:
        hint(
            _(
                ngettext(
                    "One run comes before it; one is trained at a time.",
                    "{count} runs come before it; one is trained at a time.",
                    before,
                )
            )
        )
    if not pressed or hindrance or data is None or exclude is None:
        return None
    try:
        with st.spinner(_("Starting…")):
            config = TrainConfig.from_flat_dict(settings.current())
            of_the_run = named.strip() or None
            if sweep is None:
                return jobs.start(data, config, of_the_run, exclude, masks)
            asked = sweep.setting, sweep.values, sweep.folds
            return start_sweep(data, config, *asked, of_the_run, exclude, masks)[0]
    except (CovidCTError, OSError) as error:
        callout(_("The run was not started."), _(why_it_failed(error)), tone="stop")
        return None
