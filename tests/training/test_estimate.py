from dataclasses import replace

import pytest

from covidct.data.index import Item, read_index
from covidct.models.backbones import BACKBONES
from covidct.training.config import TrainConfig
from covidct.training.estimate import Speed, estimate, measure_speed

SPEED = Speed(reading=0.01, changing=0.002, rereading=0.05, looking=0.015)


def of(config: TrainConfig, training: int = 400, validation: int = 100, speed: Speed = SPEED):
    return estimate(speed, config, training, validation)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("settings", [{}, {"epochs": 2}, {"image_size": 320, "probe_views": 3}])
def test_more_of_anything_takes_longer_and_the_first_figures_come_before_the_end(
    backbone, settings
):
    config = TrainConfig(backbone=backbone, **settings)
    usual = of(config)
    assert 0 < usual.first_figures < usual.seconds
    more = [
        of(config, training=500),
        of(config, validation=150),
        of(replace(config, probe_views=config.probe_views + 1)),
        of(replace(config, image_size=2 * config.input_size[1])),
    ]
    if config.finetuning_epochs:
        more.append(of(replace(config, epochs=config.finetuning_epochs + 1)))
    assert all(one.seconds > usual.seconds for one in more)
    assert all(one.memory_mb >= usual.memory_mb for one in more)


def test_a_computer_half_as_fast_takes_twice_as_long_and_as_much_memory():
    slow = Speed(*(2 * seconds for seconds in (0.01, 0.002, 0.05, 0.015)))
    for config in (TrainConfig(), TrainConfig(backbone="efficientnet_lite0")):
        assert of(config, speed=slow).seconds == pytest.approx(2 * of(config).seconds)
        assert of(config, speed=slow).memory_mb == of(config).memory_mb


def test_slow_integers_lengthen_only_what_is_done_in_integers():
    slow = replace(SPEED, looking=3 * SPEED.looking)
    finetuned = TrainConfig(backbone="efficientnet_lite0")
    assert of(finetuned, speed=slow).first_figures == of(finetuned).first_figures
    assert of(TrainConfig(), speed=slow).first_figures > of(TrainConfig()).first_figures


def test_the_speed_is_that_of_the_slices_given(phantom_dataset):
    speed = measure_speed(read_index(phantom_dataset).items[::8])
    assert min(speed.reading, speed.changing, speed.rereading, speed.looking) > 0


def test_without_a_readable_slice_nothing_is_promised(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert measure_speed([Item(tmp_path / "a.png", 1, "a")]) is None
    assert measure_speed([]) is None
