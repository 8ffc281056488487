"""What a run was asked for: its data, its settings, and which of them are not the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from covidct.errors import ConfigError
from covidct.messages import ngettext
from covidct.training.config import default_settings
from covidct.training.run_folder import read_run_folder
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal
from covidct.ui.training import fields, words
from covidct.ui.widgets import hint


def show(run: Path) -> None:
    """Draw a line of what is not usual, and all settings folded below it."""
    try:
        data, config, exclude, masks = read_run_folder(run)
    except ConfigError as error:
        hint(_(error.message))
        return
    settings, usual = config.as_flat_dict(), default_settings()
    unusual = {name: value for name, value in settings.items() if value != usual[name]}
    left_out = ngettext("{count:,} slice left out", "{count:,} slices left out", len(exclude))
    said = [
        _("Data: {name}", name=data.name),
        *([_(left_out)] if exclude else []),
        *([_("masks of lungs and opacities")] if masks else []),
        *(f"{title}: {value}" for title, value in _in_words(unusual)),
        *([] if unusual else [_("all settings as by default")]),
    ]
    hint(" · ".join(said))
    with st.expander(_("All settings"), key=f"settings {run.name}"):
        st.html(_table(settings, unusual))


def _in_words(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Title and value of each setting, in the order of the form."""
    return [
        (_(field.title), _(fields.CHOICES.get(name, {}).get(value) or words.setting(value)))
        for name, field in fields.FIELDS.items()
        if name in settings
        for value in [settings[name]]
    ]


def _table(settings: Mapping[str, Any], unusual: Mapping[str, Any]) -> str:
    changed = {title for title, _value in _in_words(unusual)}
    rows = [
        (
            literal(title),
            f"<strong>{literal(value)}</strong>" if title in changed else literal(value),
        )
        for title, value in _in_words(settings)
    ]
    titles = _("Setting"), _("Value; bold: not the default")
    return table(titles, rows)
