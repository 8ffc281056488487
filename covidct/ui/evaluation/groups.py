"""Results by groups of slices: age, sex, opacities, scanner, file format and more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from covidct.messages import N_
from covidct.ui.evaluation import tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.strings import _
from covidct.ui.widgets import caption, hint

if TYPE_CHECKING:
    from covidct.evaluation.results import Reviewed
    from covidct.evaluation.sample import Sample

_SAVE = {
    "age": N_("Results by age as CSV"),
    "sex": N_("Results by sex as CSV"),
    "opacity-share": N_("Results by opaque lung as CSV"),
    "slice-thickness": N_("Results by slice thickness as CSV"),
    "scanner": N_("Results by scanner as CSV"),
    "source": N_("Results by source as CSV"),
    "size": N_("Results by size as CSV"),
}
_JUDGED = {"opacity-share", "source", "size"}  # which each evaluation of today records


def show(slices: Sequence[Reviewed], sample: Sample, threshold: float) -> None:
    """A table for all that slices can be told apart by, at the threshold of the slider."""
    from covidct.evaluation.groups import CRITERIA, results_by

    caption(
        _(
            "At the operating point of the slider. Where a group has fewer than five patients of a "
            "class, only numbers are given: a rate would say nothing."
        )
    )
    missing = []
    for name, (title, _share_out) in CRITERIA.items():
        groups = results_by(name, slices, sample, threshold)
        if not groups:
            missing.append(name)
            continue
        st.html(tables.groups_table(_(title), groups))
        offer_csv(
            _(_SAVE[name]), f"results-by-{name}", partial(tables.groups_csv, groups, threshold)
        )
    if missing:
        named = ", ".join(_(CRITERIA[name][0]) for name in missing)
        hint(_("Not known of these slices: {criteria}.", criteria=named))
    if _JUDGED.isdisjoint(missing):
        return
    hint(_("These results are older than some of it. Evaluate again to see more."))
