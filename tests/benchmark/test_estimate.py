import math

import pytest

from covidct.benchmark.estimate import measure_estimate
from covidct.benchmark.settings import Settings


@pytest.mark.endurance
def test_what_is_told_of_a_run_stands_beside_what_it_took(phantom_dataset):
    settings = Settings(data=phantom_dataset, backbones=("astra_lite",), slices_to_train_on=12)
    figures = measure_estimate(settings)
    (ratios,) = figures["told_vs_taken"].values()
    assert set(ratios) == {"time", "memory"}
    assert all(0 < ratio < math.inf for ratio in ratios.values())
    assert figures["told_time_off"] == abs(ratios["time"] - 1)
    assert figures["told_memory_off"] == abs(ratios["memory"] - 1)
