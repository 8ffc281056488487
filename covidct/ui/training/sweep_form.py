"""Whether one setting is to be tried with several values, and which ones."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import streamlit as st

from covidct.messages import N_
from covidct.training.config import TrainConfig, default_settings, suits
from covidct.training.sweep import FOLDS, MOST_VALUES
from covidct.ui.strings import _, literal
from covidct.ui.training import fields, words
from covidct.ui.widgets import hint

_ON, _SETTING, _TEXT, _CHOSEN, _FOLDS = (
    f"sweep {part}" for part in ("on", "setting", "text", "chosen", "folds")
)
_NOT_SWEPT = {"official_lists", "validation_share", "fold", "seed"}  # they decide the folds


class Wanted(NamedTuple):
    """A sweep as somebody asks for it.

    Attributes:
        setting: its name in TrainConfig.
        values: of it, in the order in which they were written.
        folds: of patients.
        problem: what is wrong with it; empty where it can start.
    """

    setting: str
    values: tuple[Any, ...]
    folds: int
    problem: str

    @property
    def runs(self) -> int:
        """How many runs it takes."""
        return len(self.values) * self.folds


def ask() -> Wanted | None:
    """Draw the questions; None where a single run is wanted."""
    with st.expander(_("Compare several values of one setting (sweep)"), key="sweep"):
        if not st.toggle(_("Compare several values"), key=_ON, persist_state="session"):
            hint(
                _(
                    "Each value is trained on the same folds of patients, and judged on patients "
                    "that it did not see. Results come under “Compare”."
                )
            )
            return None
        setting, values, folds = st.columns([4, 5, 3], gap="medium")
        names = [name for name in fields.FIELDS if name not in _NOT_SWEPT]
        name = setting.selectbox(
            _("Setting"),
            names,
            index=names.index("learning_rate"),
            key=_SETTING,
            format_func=lambda name: _(fields.FIELDS[name].title),
            persist_state="session",
        )
        with values:
            tried, problem = _ask_for_values(name)
        number = folds.segmented_control(
            _("Folds"),
            FOLDS,
            default=FOLDS[0],
            required=True,
            key=_FOLDS,
            help=_("Of patients. A test list is left out; other lists are not heeded."),
            persist_state="session",
        )
        wanted = Wanted(name, tried, number, problem)
        if problem:
            st.html(f'<p class="cv-problem" role="alert">{literal(_(problem))}</p>')
        else:
            hint(
                _(
                    "{runs} runs: {values}, each in {folds} folds. All are compared with {first}.",
                    runs=wanted.runs,
                    values=", ".join(map(words.setting, tried)),
                    folds=number,
                    first=words.setting(tried[0]),
                )
            )
        return wanted


def _ask_for_values(name: str) -> tuple[tuple[Any, ...], str]:
    """The values, and what is wrong with them."""
    default = default_settings()[name]
    help_text = _("Two to {most}. The first is what others are compared with.", most=MOST_VALUES)
    if isinstance(default, bool):
        return (default, not default), ""
    if options := fields.CHOICES.get(name):
        chosen = st.multiselect(
            _("Values"),
            list(options),
            key=f"{_CHOSEN} {name}",
            format_func=lambda option: _(options[option]),
            max_selections=MOST_VALUES,
            help=help_text,
            persist_state="session",
        )
        return tuple(chosen), _wrong_with(name, tuple(chosen))
    text = st.text_input(
        _("Values, with spaces between"),
        key=f"{_TEXT} {name}",
        max_chars=200,
        help=help_text,
        persist_state="session",
    )
    try:
        values = parsed(name, text)
    except ValueError:
        return (), N_("Write numbers with spaces between, 0.0001 0.001.")
    return values, _wrong_with(name, values)


def parsed(name: str, text: str) -> tuple[Any, ...]:
    """Values of a setting as they were written, with spaces, commas or semicolons between.

    Raises:
        ValueError: one of them is no number, or none of the kind that the setting takes.
    """
    default = default_settings()[name]
    usual = suits(TrainConfig().backbone)[name] if default is None else default
    return tuple(type(usual)(part) for part in re.split(r"[\s,;]+", text) if part)


def _wrong_with(name: str, values: tuple[Any, ...]) -> str:
    wrong = [problem for value in values for problem in fields.problems({name: value}).values()]
    if wrong:
        return wrong[0]
    if not 2 <= len(values) <= MOST_VALUES or len(set(values)) < len(values):
        return N_("A sweep takes two to {most} different values.", most=MOST_VALUES)
    return ""
