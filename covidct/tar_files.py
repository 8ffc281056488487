"""A tar archive from elsewhere: its files and where they lie in it, all of them checked.

Nothing is unpacked to disk. Links, devices and sparse files are named instead of opened.
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from covidct.errors import ArchiveError
from covidct.messages import N_
from covidct.zip_files import (
    HOLDS_ARCHIVE,
    MAX_DEPTH,
    MAX_MEMBERS,
    MAX_NAME,
    MAX_UNPACKED,
    PACKED_START,
    is_junk,
    is_packed,
    leads_outside,
)

TAR_START = 262  # bytes, up to the end of the magic
_MAGIC, _MAGIC_AT = b"ustar", 257
_LONGEST_HEADER = 1024**2  # bytes of what extends a member's header
_BLOCK = 512
_DAMAGE = (tarfile.TarError, EOFError, OSError, OverflowError, RecursionError, ValueError)


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file of a tar archive.

    Attributes:
        path: in the archive.
        start: where its bytes begin.
        size: how many there are.
        refusal: why it must not be opened; else empty.
    """

    path: PurePosixPath
    start: int
    size: int
    refusal: str = ""

    @property
    def name(self) -> str:
        """Its path as text."""
        return str(self.path)


def is_tar(start: bytes) -> bool:
    """Whether bytes begin as a POSIX or GNU tar archive does."""
    return start[_MAGIC_AT:].startswith(_MAGIC)


def tar_members(archive: BinaryIO) -> tuple[TarMember, ...]:
    """The files of a tar archive that is not compressed, without the junk of file managers.

    Args:
        archive: seekable.

    Raises:
        ArchiveError: it is damaged or cut off, or exceeds the limits of
            :mod:`covidct.zip_files`, or a path leads out of it.
    """
    length = archive.seek(0, os.SEEK_END)
    archive.seek(0)
    try:
        with tarfile.open(fileobj=_ShortReads(archive), mode="r:") as tar:  # type: ignore[call-overload]
            members = tuple(_members(tar, archive, length))
            end = tar.offset
    except _DAMAGE as error:
        raise _damaged() from error
    archive.seek(end)
    if any(archive.read(_BLOCK)):  # the list of members ends where a header is damaged, too
        raise _damaged()
    if sum(member.size for member in members) > MAX_UNPACKED:
        raise ArchiveError(
            N_(
                "The files in the tar archive take more than {most} GB. Split the data set.",
                most=MAX_UNPACKED // 1024**3,
            )
        )
    return members


def _members(tar: tarfile.TarFile, archive: BinaryIO, length: int) -> Iterator[TarMember]:
    for number, info in enumerate(tar):
        if number == MAX_MEMBERS:
            raise ArchiveError(
                N_("The tar archive holds more than {most:,} entries.", most=MAX_MEMBERS)
            )
        if leads_outside(info.name):
            raise ArchiveError(
                N_("The tar archive holds a path that leads out of it (absolute or with “..”).")
            )
        if len(info.name) > MAX_NAME or info.name.count("/") > MAX_DEPTH:
            raise ArchiveError(
                N_("The tar archive holds a path longer or deeper than any file needs.")
            )
        path = PurePosixPath(info.name)
        if info.isdir() or is_junk(path):
            continue
        if not info.isreg() or info.issparse():
            yield TarMember(path, 0, 0, N_("A link, a device or a sparse file in a tar archive."))
        elif info.offset_data + info.size > length:
            raise _damaged()
        else:
            archive.seek(info.offset_data)
            packed = is_packed(path, archive.read(min(info.size, PACKED_START)))
            refusal = HOLDS_ARCHIVE if packed else ""
            yield TarMember(path, info.offset_data, info.size, refusal)


def _damaged() -> ArchiveError:
    return ArchiveError(N_("The tar archive is damaged or incomplete. Make or copy it again."))


class _ShortReads:
    """A file of which no header may take more than a megabyte."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > _LONGEST_HEADER:
            raise tarfile.ReadError("a header longer than any file needs")
        return self._file.read(size)
