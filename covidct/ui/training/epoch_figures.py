"""Why a run's curves end at other figures than its judgement shows; no Streamlit here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from covidct.messages import N_, Message, joined
from covidct.training.run_folder import kept_epoch, read_metrics

if TYPE_CHECKING:
    from covidct.evaluation.results import Review

_COMPARED = {"auc": "roc_auc", "sensitivity": "sensitivity", "specificity": "specificity"}
_NOTABLE = 0.0005  # less is not seen in three decimals


def why_they_differ(run: Path, review: Review) -> Message | None:
    """A few sentences with both figures; None where they agree, or no epoch was kept."""
    rows, kept = read_metrics(run), kept_epoch(run)
    if not 1 <= kept <= len(rows):
        return None
    of_epoch: dict[str, Any] = {name: rows[kept - 1].get(f"val_{name}") for name in _COMPARED}
    if None in of_epoch.values():
        return None
    judged = {name: review.figures[title] for name, title in _COMPARED.items()}
    if all(abs(of_epoch[name] - judged[name]) < _NOTABLE for name in _COMPARED):
        return None
    told = N_(
        "The curves show for the kept epoch {epoch}: AUC {auc:.3f}, sensitivity {sensitivity:.3f}, "
        "specificity {specificity:.3f}.",
        epoch=kept,
        **of_epoch,
    )
    why = N_(
        "They call a slice Positive from a probability of 0.5 before calibration; the table does "
        "from the operating point, {point:.3f} after it, which was chosen on these slices.",
        point=review.operating_point,
    )
    elsewhere = N_(
        "The table is also of the converted network, as it is used, and leaves out what the model "
        "learnt from."
    )
    return joined(told, why, elsewhere)
