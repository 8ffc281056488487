"""Features of slices on a cluster of real processes, which the tests of this file share."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from covidct.cluster.features import _trunks, look_on
from covidct.data.index import read_index
from covidct.data.prepared import prepare
from covidct.errors import ClusterError
from covidct.evaluation.recipes.looks import changed_both_ways, look_here, views_and_mirror
from covidct.imaging.formats.png import encode_png
from covidct.inference.classifier import Classifier
from covidct.training.config import TrainConfig

CONFIG = TrainConfig(image_size=64, probe_views=2)
LOOK = partial(views_and_mirror, config=CONFIG)


@pytest.fixture(scope="module")
def trunks(tiny_model):
    return Classifier.open(tiny_model).trunks


@pytest.fixture(scope="module")
def slices(phantom_dataset):
    return prepare(read_index(phantom_dataset).items[4:20], CONFIG.input_size)


@pytest.fixture(scope="module")
def expected(trunks, slices):
    """What the network makes of all slices at once."""
    return LOOK(trunks, slices, 0)


def test_features_are_the_same_to_the_bit_in_parts_and_on_workers(
    client, trunks, slices, expected, tmp_path
):
    assert np.array_equal(look_here(LOOK, trunks, slices), expected)
    assert np.array_equal(look_on(client, tmp_path, LOOK, trunks, slices), expected)
    opened = client.run(_trunks.cache_info)
    assert max(info.misses for info in opened.values()) == 1


def test_slices_that_are_refused_once_they_are_changed_have_no_features(
    client, trunks, slices, tmp_path
):
    def to_file(pixels):
        return encode_png(pixels) if int(pixels.sum()) % 2 else b"no picture"

    look = partial(changed_both_ways, config=CONFIG, to_file=to_file)
    here, there = look(trunks, slices, 0), look_on(client, tmp_path, look, trunks, slices)
    assert np.array_equal(here, there, equal_nan=True)
    assert 0 < np.isnan(here).any(axis=(0, 2)).sum() < len(slices.items)


def test_a_worker_that_is_killed_loses_nothing(client, cluster, trunks, slices, expected, tmp_path):
    cluster.have_workers(client, 2)

    def killing(items):
        for number, item in enumerate(items):
            if number == 1:
                next(one for one in cluster.processes[1:] if one.poll() is None).kill()
            yield item

    assert np.array_equal(look_on(client, tmp_path, LOOK, trunks, slices, killing), expected)


def test_what_workers_cannot_read_is_looked_at_where_the_run_was_started(
    client, trunks, slices, expected, tmp_path
):
    """A file that this process alone has open."""
    first, *others = slices.items
    with first.path.open("rb") as file:
        mine = replace(first, path=Path(f"/proc/self/fd/{file.fileno()}"))
        asked = replace(slices, items=(mine, *others))
        assert np.array_equal(look_on(client, tmp_path, LOOK, trunks, asked), expected)


def test_a_file_that_is_another_one_for_workers_gives_the_features_that_it_has_here(
    client, trunks, slices, tmp_path
):
    first, second, *others = slices.items
    asked = replace(slices, items=(first, replace(second, path=first.path), *others))
    here = look_here(LOOK, trunks, asked)
    assert np.array_equal(look_on(client, tmp_path, LOOK, trunks, asked), here)


def test_a_network_that_workers_do_not_find_is_told(client, trunks, slices, tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)  # this process alone has it open
    try:
        with pytest.raises(ClusterError, match="same path on all machines"):
            look_on(client, Path(f"/proc/self/fd/{folder}"), LOOK, trunks, slices)
    finally:
        os.close(folder)
