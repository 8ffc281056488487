"""Results by file format and by size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from covidct.ui.evaluation import tables
from covidct.ui.evaluation.download import offer_csv
from covidct.ui.widgets import caption

if TYPE_CHECKING:
    from covidct.evaluation.results import Reviewed
    from covidct.evaluation.sample import Sample


def show(slices: Sequence[Reviewed], sample: Sample, threshold: float) -> None:
    """Two tables at the threshold of the slider."""
    from covidct.evaluation.groups import by_size, by_source

    by = {
        "source": by_source(slices, sample, threshold),
        "size": by_size(slices, sample, threshold),
    }
    if not all(by.values()):
        st.html(
            '<p class="cv-hint">These results do not say format and size of each slice. Evaluate '
            "again to see them.</p>"
        )
        return
    caption(
        "At the operating point of the slider. Where a group has fewer than five patients of a "
        "class, only numbers are given: a rate would say nothing."
    )
    for first, groups in by.items():
        st.html(tables.groups_table(first.capitalize(), groups))
        offer_csv(f"results by {first}", partial(tables.groups_csv, groups, threshold))
