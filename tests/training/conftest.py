import os
import signal
import time

import pytest

from covidct.training import jobs
from covidct.training.config import TrainConfig
from covidct.training.progress import read_status


@pytest.fixture(autouse=True)
def _no_run_is_left(own_home):
    """A test that fails half-way leaves no training behind."""
    yield
    while (folder := jobs.live_run()) and (pid := read_status(folder).pid):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def quick() -> TrainConfig:
    """A run that trains only its head, to be quick."""
    return TrainConfig(
        backbone="efficientnet_lite0",
        image_size=64,
        epochs=3,
        batch_size=10,
        trainable_share=0.0,
        pretrained=False,
        probe_views=1,
    )


@pytest.fixture(scope="session")
def until():
    """Wait until a run's status is as wanted; fail where its process ends before."""

    def wait(folder, wanted):
        while not wanted(status := read_status(folder)):
            assert status.is_live, status.message
            time.sleep(0.02)
        return status

    return wait
