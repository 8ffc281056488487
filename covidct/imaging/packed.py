"""What is packed in ZIP and tar archives, and in archives within them, read when it is asked for.

Nothing is unpacked to disk. An archive in another one is unpacked into memory to be listed, and
again when one of its files is read; of each depth one is kept at a time.
"""

import gzip
import threading
import zipfile
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from covidct.errors import ArchiveError, UnreadableSlice
from covidct.imaging.file import File, refused
from covidct.imaging.formats.nifti import is_nifti
from covidct.imaging.formats.pixels import MAX_BYTES
from covidct.messages import N_
from covidct.tar_files import TAR_START, TarMember, is_tar, tar_members
from covidct.zip_files import (
    HOLDS_ARCHIVE,
    MANY_TIMES,
    MAX_MEMBERS,
    MAX_RATIO,
    MAX_UNPACKED,
    Member,
    opened_zip,
)

MAX_DEPTH = 3  # an archive in an archive in an archive
START = 4096  # bytes that tell an archive and a gzipped volume
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP = b"\x1f\x8b"
_WALKED = {"", ".zip", ".tar", ".gz", ".tgz"}  # not .jar, .docx and the like
_DAMAGE = (zipfile.BadZipFile, EOFError, OSError, ValueError, zlib.error)


def is_archive(start: bytes) -> bool:
    """Whether bytes begin as a ZIP or a tar archive, plain or gzipped, does."""
    return start[:4] in _ZIP_STARTS or is_tar(start) or is_tar(_inflated(start, TAR_START))


def is_walked(path: PurePosixPath | Path, start: bytes) -> bool:
    """Whether what was not named itself is an archive to look into."""
    return path.suffix.lower() in _WALKED and is_archive(start)


def _inflated(start: bytes, most: int) -> bytes:
    """At most so many bytes of what begins as a gzip file, but of no volume; else none."""
    if not start.startswith(_GZIP) or is_nifti(start):
        return b""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, most)
    except zlib.error:
        return b""


class _Archive(Protocol):
    """An archive that was opened and checked."""

    @property
    def members(self) -> Sequence[Member | TarMember]:
        """Its files in order of names."""
        ...

    def read(self, number: int, most: int) -> bytes:
        """At most so many bytes of a member."""
        ...


class _Zip:
    def __init__(self, source: Path | bytes) -> None:
        with _stream(source) as archive, opened_zip(archive, odd_members=True) as (_, found):
            self.members = sorted(found, key=lambda member: member.path)
        self._zipped = zipfile.ZipFile(BytesIO(source) if isinstance(source, bytes) else source)

    def read(self, number: int, most: int) -> bytes:
        with self._zipped.open(self.members[number].info) as member:
            return member.read(most)


class _Tar:
    def __init__(self, source: Path | bytes) -> None:
        with _stream(source) as archive:
            self.members = sorted(tar_members(archive), key=lambda member: member.path)
        self._source = source

    def read(self, number: int, most: int) -> bytes:
        member = self.members[number]
        with _stream(self._source) as archive:
            archive.seek(member.start)
            return archive.read(min(member.size, most))


def _stream(source: Path | bytes) -> BinaryIO:
    return BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _open(source: Path | bytes) -> _Archive:
    """Open an archive.

    Raises:
        ArchiveError: it is damaged or must not be unpacked.
    """
    if _is_gzipped(source):
        return _Tar(_unpacked(source))
    return _Tar(source) if is_tar(_beginning(source)) else _Zip(source)


def _beginning(source: Path | bytes) -> bytes:
    with _stream(source) as file:
        return file.read(START)


def _is_gzipped(source: Path | bytes) -> bool:
    return _beginning(source).startswith(_GZIP)


def _unpacked(source: Path | bytes) -> bytes:
    """What is in a gzip file, up to `MAX_BYTES` and to `MAX_RATIO` times its size."""
    length = len(source) if isinstance(source, bytes) else source.stat().st_size
    most = min(MAX_BYTES, max(MANY_TIMES, MAX_RATIO * length))
    try:
        with _stream(source) as file, gzip.GzipFile(fileobj=file) as unpacked:
            data = unpacked.read(most + 1)
    except _DAMAGE as error:
        raise ArchiveError(
            N_("The gzip archive is damaged or incomplete. Make or copy it again.")
        ) from error
    if len(data) > most:
        raise ArchiveError(
            N_(
                "The gzip archive unpacks to more than {most} MB or {ratio} times its size. Unpack "
                "it first.",
                most=MAX_BYTES // 1024**2,
                ratio=MAX_RATIO,
            )
        )
    return data


class _Slot:
    """Keeps the archive of one depth that was opened last; safe to share between threads.

    One that is sent to another process becomes that process's own slot of the depth.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._lock = threading.Lock()
        self._held: tuple[Hashable, _Archive] | None = None

    def __reduce__(self) -> tuple[Callable[[int], "_Slot"], tuple[int]]:
        return _slot_of_process, (self._depth,)

    def get(self, owner: Hashable, open_archive: Callable[[], _Archive]) -> _Archive:
        with self._lock:
            if self._held is None or self._held[0] != owner:
                self._held = None  # before the next one takes its room
                self._held = owner, open_archive()
            return self._held[1]


@cache
def _slot_of_process(depth: int) -> _Slot:
    return _Slot(depth)


class _Kept:
    """An archive that stays open in this process; another opens it again."""

    def __init__(self, archive: _Archive, again: Callable[[], _Archive]) -> None:
        self._archive, self._again = archive, again

    def __call__(self) -> _Archive:
        return self._archive

    def __reduce__(self) -> tuple[Callable, tuple[Callable[[], _Archive]]]:
        return _again, (self._again,)


def _again(opened: Callable[[], _Archive]) -> Callable[[], _Archive]:
    return opened


@dataclass(slots=True)
class Walk:
    """What all archives that are walked together share: the one of each depth that is open."""

    slots: tuple[_Slot, ...] = field(default_factory=lambda: tuple(map(_Slot, range(MAX_DEPTH))))


@dataclass(slots=True)
class _Budget:
    """What an archive with all that is in it may unpack to yet."""

    members: int
    size: int

    def spend(self, members: Sequence[Member | TarMember]) -> None:
        self.members -= len(members)
        self.size -= sum(member.size for member in members)
        if self.members < 0 or self.size < 0:
            raise ArchiveError(
                N_("With the archives in it, the archive unpacks to more than is taken.")
            )


def unpack(name: str, source: Path | bytes, walk: Walk) -> list[File]:
    """The files of an archive in order of names, each to be unpacked on its own when it is read.

    Archives in it are walked as if they were folders, up to `MAX_DEPTH`; one that must not be
    unpacked is a file that says so. The limits of :mod:`covidct.zip_files` hold for all together.

    Args:
        name: what the user calls it.
        source: where it is, or its bytes.
        walk: shared with what is walked beside it.

    Raises:
        ArchiveError: it is damaged, or must not be unpacked.
    """
    length = len(source) if isinstance(source, bytes) else source.stat().st_size
    budget = _Budget(MAX_MEMBERS, min(MAX_UNPACKED, max(MANY_TIMES, MAX_RATIO * length)))
    owner = _identity(source)
    again = partial(walk.slots[0].get, owner, partial(_open, source))
    # What a gzip file unpacks to is not held for good
    opened = again if _is_gzipped(source) else _Kept(_open(source), again)
    return _files(name, opened, owner, walk, budget, 1)


def _identity(source: Path | bytes) -> Hashable:
    """What tells an archive from others, and from a later one of its name."""
    if isinstance(source, bytes):
        return object()
    found = source.stat()
    return source, found.st_size, found.st_mtime_ns


def _files(
    name: str,
    opened: Callable[[], _Archive],
    owner: Hashable,
    walk: Walk,
    budget: _Budget,
    depth: int,
) -> list[File]:
    archive = opened()
    budget.spend(archive.members)
    files: list[File] = []
    for number, member in enumerate(archive.members):
        called = f"{name}/{member.name}"
        if member.refusal not in ("", HOLDS_ARCHIVE):
            files.append(refused(called, member.refusal))
            continue
        start = _start(archive, number) if member.refusal else b""
        if depth < MAX_DEPTH and is_walked(member.path, start):
            read = partial(_read, opened, number)
            itself = owner, number
            inner = partial(walk.slots[depth].get, itself, partial(_open_inner, read))
            try:
                files += _files(called, inner, itself, walk, budget, depth + 1)
            except (ArchiveError, UnreadableSlice) as error:
                files.append(refused(called, error.message))
        elif member.refusal and not is_nifti(start):
            files.append(refused(called, member.refusal))
        else:
            files.append(File(called, partial(_read, opened, number)))
    return files


def _open_inner(read: Callable[[], bytes]) -> _Archive:
    data = read()
    if len(data) > MAX_BYTES:
        raise ArchiveError(
            N_("An archive in an archive may take {most} MB at most.", most=MAX_BYTES // 1024**2)
        )
    return _open(data)


def _start(archive: _Archive, number: int) -> bytes:
    try:
        return archive.read(number, START)
    except _DAMAGE:
        return b""  # reading it will say why


def _read(opened: Callable[[], _Archive], number: int) -> bytes:
    """At most `MAX_BYTES` and one byte of a member."""
    try:
        return opened().read(number, MAX_BYTES + 1)
    except ArchiveError as error:
        raise UnreadableSlice(error.message) from error
    except _DAMAGE as error:
        raise UnreadableSlice(N_("This file is damaged in the ZIP; make the ZIP again.")) from error
