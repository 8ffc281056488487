import pytest

from covidct.benchmark.epoch import measure_epoch
from covidct.benchmark.settings import Settings
from covidct.training.config import TrainConfig


@pytest.mark.endurance
def test_the_ratios_are_measured(phantom_dataset):
    config = TrainConfig(
        backbone="efficientnet_lite0", image_size=64, pretrained=False, validation_share=0.25
    )
    figures = measure_epoch(Settings(data=phantom_dataset), config)
    assert figures["epoch_slices"] == 18
    assert all(0 < figures[name] < float("inf") for name in figures)
