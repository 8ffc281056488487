"""How the heat maps of a model stood the test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from covidct.evaluation.faithfulness.text import described
from covidct.evaluation.results import FAITHFULNESS_FILE
from covidct.messages import N_, Message
from covidct.ui.evaluation import heat_map_tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.strings import _, capitalised, literal
from covidct.ui.widgets import callout, caption, hint

_EXPLAINED = N_(
    "Pointing: how often the peak lies in a lesion, with a margin of 3% of the slice. In lesions, "
    "in lungs: how much of the map lies there. Deletion and insertion: the mean probability while "
    "the places of the map are covered, which should be small, or uncovered, which should be great "
    "(measured on the first few slices). A good method is far from Random and Centre, which know "
    "nothing of the network."
)
_SHUFFLED = N_(
    "A map of the network must change when the network’s weights are shuffled: 1 is no change, 0 "
    "is none of it left."
)


def show(folder: Path, model: Path, model_id: str) -> None:
    """The tables of the measurement in the folder of an evaluation, or else beside the model.

    Args:
        folder: of the evaluation.
        model: folder of the model.
        model_id: of the model that was evaluated; a measurement of another is not shown.
    """
    files = (folder / FAITHFULNESS_FILE, *sorted(model.glob(f"*/{FAITHFULNESS_FILE}")))
    file = next((file for file in files if file.is_file()), None)
    try:
        measured = {} if file is None else json.loads(file.read_text(encoding="utf-8"))
        if measured.get("model_id") != model_id:
            caption(
                _(
                    "The heat maps of this model have not been measured: “python -m covidct "
                    "faithfulness” does it."
                )
            )
            return
        _show(measured)
    except (OSError, ValueError, KeyError, TypeError):
        callout(_("The measurement of the heat maps cannot be read."), tone="caution")


def _show(measured: Mapping[str, Any]) -> None:
    titles = measured["methods"]
    tables = [
        (_(described(name, about)), heat_map_tables.methods(measured, name))
        for name, about in measured["sets"].items()
    ]
    shuffled, targets = heat_map_tables.shuffled(measured), heat_map_tables.targets(measured)
    with st.container(key="heat-maps"):
        hint(
            _(
                "The pages show {default} unless another is chosen; {winner} points best.",
                default=Message(titles[measured["default"]]),
                winner=Message(titles[measured["winner"]]),
            )
        )
        st.html(targets)
        for title, table in tables:
            st.html(f'<h3 class="cv-label">{literal(capitalised(title))}</h3>{table}')
        caption(_(_EXPLAINED))
        title = literal(_("Maps of a network without what it learnt"))
        st.html(f'<h3 class="cv-label">{title}</h3>{shuffled}')
        caption(_(_SHUFFLED))
    offer_csv(_("Heat maps as CSV"), "heat-maps", lambda: heat_map_tables.methods_csv(measured))
    offer_csv(
        _("Heat maps after shuffling as CSV"),
        "heat-maps-after-shuffling",
        lambda: heat_map_tables.shuffled_csv(measured),
    )
    offer_csv(
        _("Targets of the heat maps as CSV"),
        "targets-of-the-heat-maps",
        lambda: heat_map_tables.targets_csv(measured),
    )
