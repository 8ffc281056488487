"""Results by file format and by size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from covidct.ui.evaluation import tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.strings import _
from covidct.ui.widgets import caption, hint

if TYPE_CHECKING:
    from covidct.evaluation.results import Reviewed
    from covidct.evaluation.sample import Sample


def show(slices: Sequence[Reviewed], sample: Sample, threshold: float) -> None:
    """Two tables at the threshold of the slider."""
    from covidct.evaluation.groups import by_size, by_source

    sources, sizes = by_source(slices, sample, threshold), by_size(slices, sample, threshold)
    if not sources or not sizes:
        hint(
            _("These results do not say format and size of each slice. Evaluate again to see them.")
        )
        return
    caption(
        _(
            "At the operating point of the slider. Where a group has fewer than five patients of a "
            "class, only numbers are given: a rate would say nothing."
        )
    )
    for title, groups, save, name in (
        (_("Source"), sources, _("Results by source as CSV"), "results-by-source"),
        (_("Size"), sizes, _("Results by size as CSV"), "results-by-size"),
    ):
        st.html(tables.groups_table(title, groups))
        offer_csv(save, name, partial(tables.groups_csv, groups, threshold))
