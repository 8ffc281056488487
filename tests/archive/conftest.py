"""The program's way to a real archive, and a certificate that nobody trusts."""

import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from covidct.archive.dicomweb import Archive
from covidct.archive.settings import archive_settings


@pytest.fixture
def archive(named) -> Archive:
    """The program's way to it."""
    settings = archive_settings()
    assert settings
    return Archive(settings)


@pytest.fixture(scope="session")
def own_certificate(tmp_path_factory) -> ssl.SSLContext:
    """What a server shows whose certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("certificate") / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture(scope="session")
def run_here(root):
    """The command line; what is run here needs no TensorFlow, so no process forked from one."""

    def call(*arguments):
        command = [sys.executable, "-m", "covidct", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    return call
