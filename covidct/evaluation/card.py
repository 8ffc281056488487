"""A model's card, put together from the files that commands wrote beside the model.

A figure stands on the card only where a file holds it: ``cross_validation.json`` from
``cross-validate``, and in each further folder ``metrics.json``, ``audit.json`` and
``faithfulness.json`` from ``evaluate``, ``audit`` and ``faithfulness``.
``earlier_model.json`` names the out-of-fold verdicts that differ from those of the model before,
``held_out.json`` what others measured on data that is kept apart, of the model that it names. How
well lungs and opacities are found comes from ``train-opacities``. Prose comes from
``card_text.json``, under the headings of CLAIM, the Checklist for Artificial Intelligence in
Medical Imaging (Mongan et al. 2020, doi:10.1148/ryai.2020200029).
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from covidct.errors import ModelError
from covidct.evaluation.opacities.cross_validation import FIGURES_FILE
from covidct.evaluation.opacities.severity import SEVERITY_FILE
from covidct.evaluation.recipes.search import OUT_OF_FOLD_FILE, TABLE_FILE
from covidct.evaluation.results import AUDIT_FILE, FAITHFULNESS_FILE, METRICS_FILE
from covidct.files import MALFORMED, NAMES, replace_text
from covidct.imaging.anatomy.segmentation import FOLDER, segmentation_id
from covidct.inference.card import ModelCard, read_card
from covidct.messages import N_
from covidct.spreadsheets import read_table

CARD_TEXT_FILE, EARLIER_FILE = "card_text.json", "earlier_model.json"
HELD_OUT_FILE = "held_out.json"
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
_AUDITED = ("forests", "anatomy", "painted", "flips")


def assemble(model: Path) -> ModelCard:
    """The card of a model folder with everything that the files beside it hold.

    Raises:
        ModelError: the card is missing or malformed, or a file belongs to another model.
    """
    card = read_card(model)
    about: dict[str, Any] = _read(model / CARD_TEXT_FILE)
    about |= {name: card.about[name] for name in _FROM_SEARCH if name in card.about}
    if searched := _read(model / TABLE_FILE):
        about["cross_validation"] = searched.pop("recipes")
        about["out_of_fold"] = {n: v for n, v in searched.items() if n != "calibration"}
    if compared := _read(model / EARLIER_FILE):
        about["earlier_model"] = compared
    if held_out := _read(model / HELD_OUT_FILE):
        about["held_out"] = held_out
    if card.segmentation == segmentation_id():
        about["opacities"] = _read(FOLDER / FIGURES_FILE)
        about["severity"] = _read(FOLDER / SEVERITY_FILE)
    for folder in sorted(path for path in model.iterdir() if path.is_dir()):
        metrics, audited = _read(folder / METRICS_FILE), _read(folder / AUDIT_FILE)
        heat_maps = _read(folder / FAITHFULNESS_FILE)
        for figures in (metrics, audited, heat_maps):
            if figures and figures["model_id"] != card.model_id:
                raise ModelError(
                    N_(
                        "{folder} was measured with {model_id}.",
                        folder=folder.name,
                        model_id=figures["model_id"],
                    )
                )
        about[folder.name] = {n: metrics[n] for n in _HEADLINES if n in metrics}
        if audited:
            about[f"audit of {folder.name}"] = {
                part: [_row(row) for row in audited[part]] for part in _AUDITED if part in audited
            }
            if told := audited.get("told_apart"):
                about["told_apart"] = [_row(row) for row in told["rows"]]
        if heat_maps:
            del heat_maps["model_id"]
            about[f"heat maps of {folder.name}"] = heat_maps
    return replace(card, about=about)


def compare_with_earlier(model: Path, earlier: Path) -> None:
    """Write which out-of-fold verdicts differ from an earlier model's into ``earlier_model.json``.

    Args:
        model: a folder from ``cross-validate``.
        earlier: another one, of the same slices.

    Raises:
        ModelError: a card or a table is missing.
    """
    now, before = (_out_of_fold_labels(folder) for folder in (model, earlier))
    shared = [file for file in now if file in before]
    compared = {
        "model_id": read_card(earlier).model_id,
        "roc_auc": _read(earlier / TABLE_FILE)["roc_auc"],
        "n": len(shared),
        "differing": [
            {"file": file, "before": before[file], "now": now[file]}
            for file in shared
            if before[file] != now[file]
        ],
    }
    text = json.dumps(compared, indent=2, ensure_ascii=False)
    replace_text(model / EARLIER_FILE, text + "\n")


def _out_of_fold_labels(folder: Path) -> dict[str, str]:
    calibration = read_card(folder).calibration
    try:
        with (folder / OUT_OF_FOLD_FILE).open(newline="", **NAMES) as file:
            return {
                f"{row['class']}/{row['file']}": calibration.label(float(row["probability"]))
                for row in read_table(file)
            }
    except (OSError, *MALFORMED) as error:
        raise ModelError(N_("{file} cannot be read.", file=folder / OUT_OF_FOLD_FILE)) from error


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.endswith("_ci95")}
