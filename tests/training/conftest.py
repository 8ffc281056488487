import contextlib
import os
import signal
import time
from dataclasses import replace

import pytest
import two_convolutions

from covidct.models.backbones import BACKBONES
from covidct.training import jobs, queue
from covidct.training.progress import read_status


@pytest.fixture(scope="module", autouse=True)
def _two_convolutions():
    """The table of backbones holds a tiny one as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, two_convolutions.NAME, two_convolutions.BACKBONE)
        yield


@pytest.fixture(scope="module")
def tiny(quick, _two_convolutions):
    """A run of a tiny network; processes that train it must know it."""
    return replace(quick, backbone=two_convolutions.NAME, pretrained=True)


@pytest.fixture(autouse=True)
def _no_run_is_left(own_home):
    """A test that fails half-way leaves no training behind."""
    yield
    for folder in queue.queued_runs():
        queue.cancel(folder)
    while (folder := jobs.live_run()) and (status := read_status(folder)).pid:
        if status.is_elsewhere:  # its test ends it
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(status.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def until():
    """Wait until a run's status is as wanted; fail where its process ends before."""

    def wait(folder, wanted):
        while not wanted(status := read_status(folder)):
            assert status.is_live or status.state == "queued", status.message
            time.sleep(0.02)
        return status

    return wait
