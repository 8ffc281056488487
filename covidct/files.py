"""Files that appear whole or not at all, whatever kills the program or fills the disk."""

import contextlib
import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PART = ".part"
# How tables hold names of files, which need not be valid Unicode, so that they are found again
NAMES: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}
_LEVEL = 3  # of compression: a third of the usual level's time for 1 % more bytes of weights

# What a JSON file raises that is not what it should be, when it is parsed and taken apart
MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def replace_text(path: Path, text: str) -> None:
    """Write a small text file at once: readers see the old one or the new one."""
    replace_bytes(path, text.encode("utf-8"))


def replace_bytes(path: Path, data: bytes) -> None:
    """Likewise a file of any content."""
    temporary = path.with_name(f".{path.name}{PART}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush_to_disk(path: Path) -> None:
    """Wait until the content of a file has left the operating system's memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """Remove a folder that is made inside the block if making it fails, as on a full disk."""
    try:
        yield
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def link_or_copy(source: Path, to: Path) -> None:
    """A second name for a file that will not be written to; a copy where links are not possible."""
    try:
        os.link(source, to)
    except OSError:
        shutil.copyfile(source, to)


def deflate(archive: Path) -> None:
    """Compress the members of a ZIP archive that only stores them, such as a ``.keras`` file."""
    packed = archive.with_name(f"{archive.name}.packed")
    with (
        zipfile.ZipFile(archive) as stored,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as out,
    ):
        for name in stored.namelist():
            out.writestr(name, stored.read(name))
    packed.replace(archive)
