"""What a run is expected to take, beside its Start button."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from covidct.errors import CovidCTError
from covidct.training.config import TrainConfig
from covidct.ui.strings import _
from covidct.ui.training import settings, words
from covidct.ui.widgets import hint

if TYPE_CHECKING:
    from covidct.data.check import DataReport
    from covidct.data.index import Item
    from covidct.training.estimate import Speed

_PROBED = 4  # slices


def show(report: DataReport, excluded: int) -> None:
    """Time, first figures and memory of the run as it is set.

    Args:
        report: on the data.
        excluded: how many slices are left out, of training as a rule.
    """
    from covidct.data.check import TRAINING, VALIDATION  # scikit-learn: a second
    from covidct.training.estimate import estimate

    try:
        config = TrainConfig.from_flat_dict(settings.current())
        speed = _speed(tuple(item.path for item in report.samples), report.samples)
    except CovidCTError:
        return  # what is wrong is said when the run is started
    if speed is None:
        return
    slices = dict.fromkeys((TRAINING, VALIDATION), 0)
    for count in report.counts:
        if count.split in slices:
            slices[count.split] += count.slices
    expected = estimate(speed, config, max(1, slices[TRAINING] - excluded), slices[VALIDATION])
    hint(
        _(
            "Expected on this computer as busy as it is now: about {whole} in all, the first "
            "figures after {first}, {memory:.1f} GB of memory.",
            whole=words.duration(expected.seconds),
            first=words.duration(expected.first_figures),
            memory=expected.memory_mb / 1024,
        )
    )


@st.cache_resource(show_spinner=False, max_entries=8)
def _speed(paths: tuple[Path, ...], _items: tuple[Item, ...]) -> Speed | None:
    """Measured once for a data set, on a few of its slices."""
    from covidct.training.estimate import measure_speed

    with st.spinner(_("Measuring how fast this computer is…")):
        return measure_speed(_items[:: max(1, len(_items) // _PROBED)])
