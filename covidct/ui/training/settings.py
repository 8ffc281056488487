"""Step 3 of a new run: the settings, with what augmentation does to the slices beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from covidct.data.augment import Augmentation
from covidct.imaging.anatomy.thorax_crop import chest_grid
from covidct.messages import N_, joined, number
from covidct.training.config import default_settings, suits
from covidct.ui.strings import _, literal
from covidct.ui.training import fields, preview
from covidct.ui.training.fields import Field
from covidct.ui.widgets import caption, picture

_PREFIX = "setting "
_DRAW = "preview draw"
_SAMPLES, _VARIANTS = 3, 4
_USUAL_COLUMNS = 256
_SHARP_CELL = 150
_DEFAULTS = default_settings()


def current() -> dict[str, Any]:
    """The settings as they stand in the form, also before it is drawn."""
    held = st.session_state
    return {name: held.get(_PREFIX + name, default) for name, default in _DEFAULTS.items()}


def show(official_lists: bool, samples: Sequence[Path]) -> dict[str, str]:
    """Draw the form.

    Args:
        official_lists: whether the data set brings its own split.
        samples: files to preview augmentation on; synthetic slices where there are none.

    Returns:
        What is wrong, by the setting's name; empty when a run can start.
    """
    wrong = fields.problems(current())

    def draw(field: Field, disabled: bool = False) -> None:
        _widget(field, disabled)
        if field.name in wrong:
            st.html(f'<p class="cv-problem" role="alert">{literal(_(wrong[field.name]))}</p>')

    _in_columns(fields.BASICS, draw, (5, 3, 3, 3))
    with st.expander(_heading(_("How it learns"), fields.LEARNING, wrong)):
        _in_columns(fields.LEARNING, draw, (1, 1, 1))
    with st.expander(_heading(_("Validation and chance"), fields.VALIDATION, wrong)):
        if official_lists:
            caption(_("This data set has official training and validation lists; they are used."))
        lists, share, seed = st.columns(3, gap="medium")
        with lists:
            draw(fields.FIELDS["official_lists"])
        with share:
            draw(fields.FIELDS["validation_share"], disabled=official_lists)
        with seed:
            draw(fields.FIELDS["seed"])
    with st.expander(_heading(_("Augmentation"), fields.AUGMENTATION, wrong), key="augmentation"):
        sliders, pictures = st.columns([4, 5], gap="large")
        with sliders:
            _in_columns(fields.AUGMENTATION, draw, (1, 1))
        with pictures:
            _preview(current(), wrong, samples)
    st.button(
        _("Back to the defaults"),
        type="tertiary",
        icon=":material/restart_alt:",
        disabled=all(value == _DEFAULTS[name] for name, value in current().items()),
        on_click=_reset,
    )
    return wrong


def _heading(title: str, group: Sequence[Field], wrong: Mapping[str, str]) -> str:
    bad = sum(field.name in wrong for field in group)
    to_correct = _("{bad} to correct", bad=bad)
    return f"{title} · :orange[{to_correct}]" if bad else title


def _in_columns(group: Sequence[Field], draw: Any, widths: Sequence[int]) -> None:  # noqa: ANN401
    for start in range(0, len(group), len(widths)):
        places = st.columns(widths, gap="medium", vertical_alignment="top")
        for place, field in zip(places, group[start : start + len(widths)], strict=False):
            with place:
                draw(field)


def _widget(field: Field, disabled: bool) -> None:
    key, default, title = _PREFIX + field.name, _DEFAULTS[field.name], _(field.title)
    st.session_state.setdefault(key, default)
    common: dict[str, Any] = {
        "key": key,
        "help": _(field.help),
        "disabled": disabled,
        "persist_state": "session",
    }
    if options := fields.CHOICES.get(field.name):
        st.selectbox(title, list(options), format_func=lambda name: _(options[name]), **common)
    elif isinstance(default, bool):
        st.toggle(title, **common)
    elif field.highest is not None:
        st.slider(
            title,
            0.0,
            field.highest,
            step=None if field.step is None else float(field.step),
            format=field.form,
            **common,
        )
    else:
        st.number_input(
            title,
            value=None if default is None else "min",  # only what may be empty can be emptied
            step=field.step,
            format=field.form,
            placeholder=_suiting(field) if default is None else None,
            **common,
        )


def _suiting(field: Field) -> str:
    """What the chosen network brings for a setting that is left empty."""
    return _(number(suits(current()["backbone"])[field.name], "g"))


def _reset() -> None:
    for name, default in _DEFAULTS.items():
        st.session_state[_PREFIX + name] = default


def _preview(settings: dict[str, Any], wrong: Mapping[str, str], samples: Sequence[Path]) -> None:
    """The slices as they are, first column, and as one epoch or another will see them."""
    names = {field.name for field in fields.AUGMENTATION}
    if wrong.keys() & names or "image_size" in wrong:
        return
    how = Augmentation(**{name: settings[name] for name in names})
    grid = chest_grid(settings["image_size"] or _USUAL_COLUMNS)
    rows = preview.variants(
        _crops(tuple(samples), grid), how, st.session_state.setdefault(_DRAW, 0), _VARIANTS
    )
    picture(
        preview.montage(rows, min(grid[1], _SHARP_CELL)),
        _(
            "{slices} slices, each as it is and in {variants} random variants",
            slices=len(rows),
            variants=_VARIANTS,
        ),
    )
    seen = N_(
        "What the network sees at {columns} × {rows} pixels: first column as it is, then four "
        "draws.",
        columns=grid[1],
        rows=grid[0],
    )
    synthetic = N_("Synthetic slices, until you have chosen data.")
    caption(_(seen if samples else joined(seen, synthetic)))
    st.button(
        _("Draw again"),
        icon=":material/casino:",
        type="tertiary",
        on_click=lambda: st.session_state.update({_DRAW: st.session_state[_DRAW] + 1}),
    )


@st.cache_data(show_spinner=False, max_entries=16)
def _crops(samples: tuple[Path, ...], grid: tuple[int, int]) -> list[np.ndarray]:
    crops = preview.crops_of_files(samples, grid, _SAMPLES)
    return crops or preview.crops_of_phantoms(grid, _SAMPLES)
