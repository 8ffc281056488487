"""A process on another host that shares the file system, as a container does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_APART = ["unshare", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child"]
_REPOSITORY = Path(__file__).parents[2]


@contextmanager
def python_on(host: str, code: str, *arguments: object) -> Iterator[subprocess.Popen]:
    """``python -c`` on a host of this name, with process numbers of its own; killed at the end."""
    if subprocess.run([*_APART, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces on this machine")
    command = ["sh", "-c", f'hostname {host}; exec "$0" "$@"', sys.executable, "-c", code]
    process = subprocess.Popen(
        [*_APART, *command, *map(str, arguments)], cwd=_REPOSITORY, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()  # until the process on that host, too, has closed its output
