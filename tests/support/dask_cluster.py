"""A Dask scheduler and workers on loopback, each started by Dask's own command, with TLS."""

import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import patience
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import Client

ROOT = Path(__file__).parents[2]


class DaskCluster:
    """One scheduler; workers join and end as a test asks.

    Attributes:
        environment: Dask's settings for whoever is to belong to it.
        client_settings: the same for a client in this process.
        address: of the scheduler.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / "scheduler.json"
        pem = _certificate(folder / "dask.pem")
        self.environment = {
            "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": pem,
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
            **{
                f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT": pem
                for role in ("CLIENT", "SCHEDULER", "WORKER")
            },
        }
        self.client_settings = {
            "distributed.comm.tls.ca-file": pem,
            "distributed.comm.tls.client.cert": pem,
        }
        self.processes: list[subprocess.Popen] = []
        self.scheduler = self._start("scheduler", "--port", "0")
        self.address = self._known_address()

    def add_worker(self) -> subprocess.Popen:
        """A worker of one thread, which nobody starts again once it has ended."""
        options = ("--no-nanny", "--nthreads", "1", "--local-directory", str(self._folder))
        return self._start("worker", *options)

    def have_workers(self, client: Client, count: int) -> None:
        """Wait until so many are at work; more join if there are fewer."""
        for _ in range(count - len(client.nthreads())):
            self.add_worker()
        client.wait_for_workers(count, timeout=patience.SECONDS)

    def stop(self) -> None:
        """End all that is left of it."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def _known_address(self) -> str:
        deadline = time.monotonic() + patience.SECONDS
        while True:
            try:
                return json.loads(self._file.read_text())["address"]
            except (OSError, ValueError):  # not there yet, or not whole
                assert time.monotonic() < deadline and self.scheduler.poll() is None
                time.sleep(0.05)

    def _start(self, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *arguments]
        options = ("--scheduler-file", str(self._file), "--no-dashboard", "--protocol", "tls")
        with (self._folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [*command, *options, "--host", "127.0.0.1"],
                cwd=ROOT,
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process


@contextmanager
def dask_cluster(folder: Path) -> Iterator[DaskCluster]:
    """A cluster for the length of the block, without workers yet."""
    cluster = DaskCluster(folder)
    try:
        yield cluster
    finally:
        cluster.stop()


def _certificate(path: Path) -> str:
    """A key and the certificate that it signed itself, which is the authority as well."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "covidct tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return str(path)
