"""Where files come from: a folder, a ZIP or an upload, as names with bytes that are read late."""

import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NoReturn

from covidct.errors import ArchiveError, UnreadableSlice
from covidct.imaging.formats.pixels import MAX_BYTES
from covidct.messages import N_
from covidct.zip_files import is_junk, opened_zip

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_DAMAGE = (zipfile.BadZipFile, EOFError, OSError, ValueError, zlib.error)


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """A file that may hold a slice.

    Attributes:
        name: what the user calls it; shown and never computed with.
        read: gives its bytes, or raises UnreadableSlice.
        refusal: why it is never opened, as an archive or a link in an archive is not; else empty.
    """

    name: str
    read: Callable[[], bytes]
    refusal: str = ""


def load(path: str | os.PathLike[str]) -> bytes:
    """At most `MAX_BYTES` and one byte of a file; errors never tell its name.

    Raises:
        UnreadableSlice: it is a folder, or cannot be opened.
    """
    try:
        if Path(path).is_dir():
            raise UnreadableSlice(N_("This is a folder, not a file."))
        if not Path(path).is_file():
            raise UnreadableSlice(N_("There is no such file."))
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or N_("its name is not valid")
        raise UnreadableSlice(N_("The file cannot be opened: {reason}.", reason=reason)) from None


def files_at(path: Path) -> list[File]:
    """The files of a folder in order of names, of a ZIP likewise, or the one file itself.

    A ZIP in the folder is walked as if it were a folder; a ZIP within a ZIP is not.

    Raises:
        ArchiveError: a ZIP is damaged, or must not be unpacked.
    """
    if path.is_dir():
        found = (file for file in sorted(path.rglob("*")) if file.is_file())
        paths = [file for file in found if not is_junk(file.relative_to(path))]
        return [file for one in paths for file in _walked(one)]
    return _members(str(path), path) if _is_zip(path) else [File(str(path), partial(load, path))]


def _walked(path: Path) -> list[File]:
    """A file of a folder, or what is in it; a ZIP that must not be unpacked says so when read."""
    try:
        return files_at(path)
    except ArchiveError as error:
        return [_refused(str(path), error.message)]


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in _ZIP_STARTS
    except (OSError, ValueError):
        return False  # reading it will say why


def uploaded(name: str, data: bytes) -> list[File]:
    """An upload, or the files in it if it is a ZIP.

    Raises:
        ArchiveError: a ZIP is damaged, or must not be unpacked.
    """
    if data[:4] in _ZIP_STARTS:
        return _members(name, data)
    return [File(name, lambda: data)]


def _members(name: str, source: Path | bytes) -> list[File]:
    """The files of a ZIP, each to be unpacked on its own when it is read."""
    archive = BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with archive, opened_zip(archive, odd_members=True) as (_, found):
        members = sorted(found, key=lambda member: member.path)
    zipped = zipfile.ZipFile(BytesIO(source) if isinstance(source, bytes) else source)
    return [
        _refused(f"{name}/{member.info.filename}", member.refusal)
        if member.refusal
        else File(f"{name}/{member.info.filename}", partial(_unpack, zipped, member.info))
        for member in members
    ]


def _refused(name: str, reason: str) -> File:
    return File(name, partial(_refuse, reason), reason)


def _refuse(reason: str) -> NoReturn:
    raise UnreadableSlice(reason)


def _unpack(zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """At most `MAX_BYTES` and one byte of a member."""
    try:
        with zipped.open(info) as member:
            return member.read(MAX_BYTES + 1)
    except _ZIP_DAMAGE as error:
        raise UnreadableSlice(N_("This file is damaged in the ZIP; make the ZIP again.")) from error
