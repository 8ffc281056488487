import os
import signal
import time

import pytest

from covidct.training import jobs
from covidct.training.progress import read_status


@pytest.fixture(autouse=True)
def _no_run_is_left(own_home):
    """A test that fails half-way leaves no training behind."""
    yield
    while (folder := jobs.live_run()) and (pid := read_status(folder).pid):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def until():
    """Wait until a run's status is as wanted; fail where its process ends before."""

    def wait(folder, wanted):
        while not wanted(status := read_status(folder)):
            assert status.is_live, status.message
            time.sleep(0.02)
        return status

    return wait
