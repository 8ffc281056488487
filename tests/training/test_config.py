from dataclasses import replace

import pytest

from covidct.data.reencode import REENCODED
from covidct.errors import ConfigError
from covidct.training.config import TrainConfig


def test_settings_survive_the_flat_form():
    config = TrainConfig.from_flat_dict({"epochs": 3, "zoom": 0.4, "flip": False})
    assert (config.epochs, config.augmentation.zoom, config.augmentation.flip) == (3, 0.4, False)
    assert TrainConfig.from_flat_dict(config.as_flat_dict()) == config


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs", -1),
        ("batch_size", -1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("dropout", 1.0),
        ("image_size", 20),
        ("zoom", 1.5),
        ("rotation_degrees", -3.0),
        ("backbone", "resnet"),
        ("pixel_scaling", "none"),
    ],
)
def test_bad_values_are_refused_by_name(setting, value):
    with pytest.raises(ConfigError, match=setting):
        TrainConfig.from_flat_dict({setting: value})


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match="epoch_count"):
        TrainConfig.from_flat_dict({"epoch_count": 3})


def test_the_input_size_is_the_backbones_unless_given():
    assert TrainConfig(backbone="efficientnet_lite2").input_size == (228, 304)
    assert replace(TrainConfig(), image_size=96).input_size == (72, 96)


def test_what_suits_the_backbone_is_taken_unless_something_else_is_asked_for():
    assert TrainConfig().finetuning_epochs == 0
    assert TrainConfig(backbone="vgg16").finetuning_epochs == 4
    assert TrainConfig(backbone="efficientnet_lite1").finetuning_epochs == 12
    assert TrainConfig(epochs=2).finetuning_epochs == 2
    assert TrainConfig().peak_learning_rate == 1e-5
    assert TrainConfig(backbone="efficientnet_lite1").peak_learning_rate == 1e-4
    assert TrainConfig(learning_rate=3e-3).peak_learning_rate == 3e-3


def test_views_are_epochs_only_where_nothing_is_fine_tuned():
    assert TrainConfig(probe_views=5).planned_epochs == 5 + len(REENCODED)
    assert TrainConfig(probe_views=5, epochs=2).planned_epochs == 2


def test_a_run_that_would_learn_nothing_is_refused():
    with pytest.raises(ConfigError, match="probe_views"):
        TrainConfig(probe_views=0)
    assert TrainConfig(probe_views=0, epochs=1).planned_epochs == 1
