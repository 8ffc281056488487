"""A cluster of real processes for the tests of a file."""

import dask
import pytest
from dask_cluster import dask_cluster

from covidct.cluster.connect import connect


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Of two workers."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        cluster.add_worker()
        cluster.add_worker()
        yield cluster


@pytest.fixture(scope="module")
def client(cluster):
    """Who gives it work, once both workers are there."""
    with dask.config.set(cluster.client_settings), connect(cluster.address) as client:
        cluster.have_workers(client, 2)
        yield client
