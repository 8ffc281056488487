import pytest

from covidct.errors import ConfigError
from covidct.models.backbones import BACKBONES, PIXEL_SCALINGS
from covidct.training.config import RANGES, TrainConfig, default_settings
from covidct.ui.training import fields


def test_every_setting_has_its_field_and_no_field_is_left_over():
    assert fields.FIELDS.keys() == TrainConfig().as_flat_dict().keys()


def test_the_choices_are_those_that_can_be_trained():
    assert tuple(fields.CHOICES["backbone"]) == tuple(BACKBONES)
    assert tuple(fields.CHOICES["pixel_scaling"]) == PIXEL_SCALINGS


def test_the_defaults_have_no_problems():
    assert fields.problems(default_settings()) == {}


@pytest.mark.parametrize("name", RANGES)
def test_a_field_is_refused_exactly_where_a_run_would_be(name):
    low, high = RANGES[name]
    for value in (low, high):
        assert fields.problems({name: value}) == {}
        TrainConfig.from_flat_dict({"epochs": 1, name: value})
    for value in (low - 1, high + 1):
        assert f"from {low:g} to " in fields.problems({name: value})[name]
        with pytest.raises(ConfigError):
            TrainConfig.from_flat_dict({name: value})


def test_only_what_may_be_empty_is_accepted_empty():
    empty = fields.problems(dict.fromkeys(fields.FIELDS))
    assert fields.FIELDS.keys() - empty.keys() == {"image_size", "epochs", "learning_rate"}


def test_sliders_stay_within_what_a_run_accepts():
    for field in fields.FIELDS.values():
        if field.highest is not None:
            assert fields.problems({field.name: 0.0, **{field.name: field.highest}}) == {}
            assert 0 <= default_settings()[field.name] <= field.highest


def test_differences_name_what_is_not_shared_and_nothing_else():
    one = TrainConfig(epochs=3).as_flat_dict() | {"data": "/a"}
    two = TrainConfig(epochs=5, seed=1).as_flat_dict() | {"data": "/b"}
    assert fields.differences({"one": one, "two": two}) == [
        ("Epochs of fine-tuning", {"one": 3, "two": 5}),
        ("Seed", {"one": 0, "two": 1}),
        ("data", {"one": "/a", "two": "/b"}),
    ]
    assert fields.differences({"one": one, "same": dict(one)}) == []
