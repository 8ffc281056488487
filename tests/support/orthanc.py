"""Debian's Orthanc, a real DICOM archive, in a process of its own on this machine."""

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import patience
import pytest
import requests
from app_server import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Orthanc:
    """A running archive.

    Attributes:
        root: of its own interface, by which tests fill it and look into it.
        password: of its one user, "covidct".
        log: where its output goes.
    """

    root: str
    password: str
    log: Path

    @property
    def dicomweb(self) -> str:
        """The address of its DICOMweb interface."""
        return f"{self.root}/dicom-web"

    @property
    def environment(self) -> dict[str, str]:
        """What names it to the program."""
        return {
            "COVIDCT_DICOMWEB": self.dicomweb,
            "COVIDCT_DICOMWEB_USER": "covidct",
            "COVIDCT_DICOMWEB_PASSWORD": self.password,
        }

    @cached_property
    def session(self) -> requests.Session:
        """A session of its user."""
        session = requests.Session()
        session.auth = ("covidct", self.password)
        return session

    def put(self, *files: bytes) -> None:
        """Store files as any other program might."""
        for data in files:
            self.session.post(f"{self.root}/instances", data=data).raise_for_status()

    def files(self, **tags: str) -> list[bytes]:
        """What it holds of these tags."""
        query = {"Level": "Instance", "Query": tags}
        found = self.session.post(f"{self.root}/tools/find", json=query).json()
        addresses = [f"{self.root}/instances/{instance}/file" for instance in found]
        return [self.session.get(address).content for address in addresses]


@contextmanager
def serve_orthanc(folder: Path) -> Iterator[Orthanc]:
    """An empty archive that keeps its data in a folder and answers this machine alone.

    Version 1.10 knows no `HttpBindAddresses`: there `RemoteAccessAllowed` turns others away.
    """
    program = shutil.which("Orthanc")
    if program is None or not PLUGIN.exists():
        pytest.skip("Orthanc is not installed: apt-get install orthanc orthanc-dicomweb")
    port, password = free_port(), secrets.token_urlsafe()
    configuration = {
        "Name": "covidct",
        "StorageDirectory": str(folder / "data"),
        "IndexDirectory": str(folder / "data"),
        "Plugins": [str(PLUGIN)],
        "HttpPort": port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"covidct": password},
        "DicomServerEnabled": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    log = folder / "orthanc.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [program, str(folder / "orthanc.json")], stdout=output, stderr=output
        )
        try:
            orthanc = Orthanc(f"http://127.0.0.1:{port}", password, log)
            _wait_until_it_answers(orthanc, process)
            yield orthanc
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_it_answers(orthanc: Orthanc, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + patience.SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if orthanc.session.get(f"{orthanc.root}/system").ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail(f"Orthanc did not start:\n{orthanc.log.read_text()}")
