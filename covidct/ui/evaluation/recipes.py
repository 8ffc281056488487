"""The ways of training that were compared by cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from covidct.messages import number
from covidct.ui.evaluation import tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.shared.table import table
from covidct.ui.strings import _, literal
from covidct.ui.widgets import caption

if TYPE_CHECKING:
    from covidct.evaluation.recipes.cross_validation import RecipeRow


def show(recipes: Sequence[RecipeRow]) -> None:
    """The table."""
    st.html(
        table(
            (
                _("Recipe"),
                _("ROC AUC"),
                _("Accuracy"),
                _("Calibration error"),
                _("Helped"),
                _("Remark"),
            ),
            [
                (
                    literal(_(recipe.name)),
                    tables.with_interval(recipe.roc_auc, _range(recipe.roc_auc_folds), ".3f"),
                    _(number(recipe.accuracy, ".1%")),
                    ""
                    if recipe.calibration_error is None
                    else _(number(recipe.calibration_error, ".3f")),
                    literal(_(recipe.helped)),
                    tables.small(_(recipe.note)),
                )
                for recipe in recipes
            ],
        )
    )
    caption(
        _(
            "Each recipe was trained several times, each time judged on patients it had not seen; "
            "below the AUC its lowest and highest fold."
        )
    )
    offer_csv(_("Cross-validation as CSV"), "cross-validation", lambda: _as_csv(recipes))


def _range(folds: Sequence[float]) -> tuple[float, float] | None:
    return (min(folds), max(folds)) if folds else None


def _as_csv(recipes: Sequence[RecipeRow]) -> str:
    head = ("recipe", "roc_auc", "roc_auc_folds", "accuracy", "calibration_error", "helped", "note")
    return tables.as_csv(
        head,
        [
            (
                recipe.name,
                recipe.roc_auc,
                " ".join(map(str, recipe.roc_auc_folds)),
                recipe.accuracy,
                recipe.calibration_error,
                recipe.helped,
                recipe.note,
            )
            for recipe in recipes
        ],
    )
