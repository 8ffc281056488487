"""A model's card, put together from the files that commands wrote beside the model.

A figure stands on the card only where a file holds it: ``cross_validation.json`` from
``cross-validate``, and in each further folder ``metrics.json``, ``audit.json`` and
``faithfulness.json`` from ``evaluate``, ``audit`` and ``faithfulness``. Prose comes from
``claim.json``, under the headings of CLAIM, the Checklist for Artificial Intelligence in Medical
Imaging (Mongan et al. 2020, doi:10.1148/ryai.2020200029).
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from covidct.errors import ModelError
from covidct.evaluation.audit import AUDIT_FILE
from covidct.evaluation.review import FAITHFULNESS_FILE, METRICS_FILE
from covidct.evaluation.search import TABLE_FILE
from covidct.inference.store import ModelCard, read_card

CLAIM_FILE = "claim.json"
_FROM_SEARCH = ("slices", "recipe")
_HEADLINES = (
    "data",
    "split",
    "n",
    "patients",
    *(
        name + end
        for name in ("accuracy", "sensitivity", "specificity", "roc_auc")
        for end in ("", "_ci95")
    ),
    "expected_calibration_error",
)
_AUDITED = ("forests", "anatomy", "flips")


def assemble(model: Path) -> ModelCard:
    """The card of a model folder with everything that the files beside it hold.

    Raises:
        ModelError: the card is missing or malformed, or a file belongs to another model.
    """
    card = read_card(model)
    about: dict[str, Any] = _read(model / CLAIM_FILE)
    about |= {name: card.about[name] for name in _FROM_SEARCH if name in card.about}
    if searched := _read(model / TABLE_FILE):
        about["cross_validation"] = searched.pop("recipes")
        about["out_of_fold"] = {n: v for n, v in searched.items() if n != "calibration"}
    for folder in sorted(path for path in model.iterdir() if path.is_dir()):
        metrics, audited = _read(folder / METRICS_FILE), _read(folder / AUDIT_FILE)
        heat_maps = _read(folder / FAITHFULNESS_FILE)
        for figures in (metrics, audited, heat_maps):
            if figures and figures["model_id"] != card.model_id:
                raise ModelError(f"{folder.name} was measured with {figures['model_id']}.")
        about[folder.name] = {n: metrics[n] for n in _HEADLINES if n in metrics}
        if audited:
            about[f"audit of {folder.name}"] = {
                part: [_row(row) for row in audited[part]] for part in _AUDITED
            }
        if heat_maps:
            del heat_maps["model_id"]
            about[f"heat maps of {folder.name}"] = heat_maps
    return replace(card, about=about)


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.endswith("_ci95")}
