"""The cluster that is meant by an address."""

import asyncio
import ipaddress
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import dask
from dask.utils import parse_timedelta
from distributed import Client, LocalCluster, Security
from distributed.comm.core import connect as reach

from covidct.cluster.slurm import slurm_cluster
from covidct.errors import ClusterError, ConfigError
from covidct.messages import N_

LOCAL, SLURM = "local", "slurm"
# Dask's HTTP servers, which tell whoever asks what tasks are at work, have nothing to tell
_SILENT: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """A client of a cluster, for the length of the block.

    Args:
        address: of a scheduler, "tcp://…" or "tls://…", the latter with the certificates that
            Dask's own settings name (``distributed.comm.tls``); "local", which starts one worker
            for each processor core of this machine; or "slurm" or "slurm:QUEUE", which has Slurm
            start workers.

    Raises:
        ClusterError: there is no scheduler, or no worker joins it for as long as Dask's setting
            ``distributed.comm.timeouts.connect`` has a connection take.
        ConfigError: it is no address, certificates are missing, or Slurm cannot be reached.
    """
    if address == LOCAL:
        with local_workers(os.cpu_count() or 1) as client:
            yield client
        return
    kind, _, queue = address.partition(":")
    if kind == SLURM:
        with (
            dask.config.set(_SILENT),
            slurm_cluster(queue) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return
    if not address.startswith(("tcp://", "tls://")):
        raise ConfigError(
            N_(
                "“{address}” is no cluster: it is “local”, “slurm”, “slurm:QUEUE”, or the address "
                "of a Dask scheduler, tcp://… or tls://….",
                address=address,
            )
        )
    try:
        asyncio.run(_reach(address))
    except (ValueError, TypeError, RuntimeError) as error:  # in the address or the certificates
        raise ConfigError(
            N_("The cluster’s settings are wrong: {reason}", reason=str(error))
        ) from error
    except OSError as error:
        raise ClusterError(
            N_("No scheduler answers at {address}. Start it by “dask scheduler”.", address=address)
        ) from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # our errors tell it
    with Client(address, set_as_default=False) as client:
        _wait_for_a_worker(client, address)
        yield client


def _wait_for_a_worker(client: Client, address: str) -> None:
    """Work for which there is no worker would wait without an end."""
    seconds = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError as error:
        raise ClusterError(
            N_(
                "No worker has joined the scheduler within {seconds:g} s. Start one by “dask "
                "worker {address}”. Where workers take longer to come, set "
                "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT to more.",
                seconds=seconds,
                address=address,
            )
        ) from error


async def _reach(address: str) -> None:
    """Connect once and let go: a client that cannot would hang at the end of this process."""
    comm = await reach(address, **Security().get_connection_args("client"))
    await comm.close()


@contextmanager
def local_workers(count: int) -> Iterator[Client]:
    """So many workers of one thread on this machine, closed to its other users by TLS."""
    security = Security.temporary()
    with (
        dask.config.set(_SILENT),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            silence_logs=logging.CRITICAL,  # our errors tell it
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            protocol="tls://",
            security=security,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def leaves_machine_unencrypted(address: str) -> bool:
    """Whether others can read along, or pass for a worker, on the way to a scheduler."""
    host = urlsplit(address).hostname or ""
    if not address.startswith("tcp://") or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return True
