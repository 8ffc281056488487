import json

from covidct.evaluation.benchmark import training_cost
from covidct.training.config import TrainConfig


def test_the_ratios_are_measured_and_written(phantom_dataset, tmp_path):
    config = TrainConfig(
        backbone="efficientnet_lite0", image_size=64, pretrained=False, validation_share=0.25
    )
    figures = training_cost(phantom_dataset, config, tmp_path / "bench.json")
    assert json.loads((tmp_path / "bench.json").read_text()) == figures
    assert figures["slices"] == 18
    assert all(0 < figures[name] < float("inf") for name in figures)
