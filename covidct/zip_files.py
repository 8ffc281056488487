"""A ZIP from elsewhere, of which nothing is unpacked before every member has passed.

Python's own ``zipfile`` writes no member outside the destination, but it follows any size that an
archive claims. Here a path that leads outside is refused, and so is what unpacks to too much.
"""

import os
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath, PurePosixPath
from typing import BinaryIO

from covidct.errors import ArchiveError
from covidct.messages import N_

MAX_MEMBERS = 20_000
MAX_DIRECTORY = 8 * 1024**2  # 400 bytes for each of so many entries
MAX_UNPACKED = 4 * 1024**3
MAX_DEPTH = 32  # folders in folders
MAX_NAME = 4096  # bytes of a path
MAX_EXTRA = 4096  # bytes beside it; times and sizes take 60
MAX_RATIO = 100  # PNG and JPEG do not shrink; DICOM shrinks to a quarter, a blank bitmap further

MANY_TIMES = 1024**2  # an archive that unpacks to less than this may be packed at any ratio
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what others unpack costs unbounded memory
_DAMAGE = (
    zipfile.BadZipFile,
    EOFError,
    IndexError,  # of a name that is empty
    NotImplementedError,
    ValueError,
    struct.error,
    zlib.error,
)
_ENTRY, _END_64 = 46, 76  # bytes of an entry without its fields; of the end in 64 bits
_ENCRYPTED = 0x1
_JUNK_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
_JUNK_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
_ARCHIVE_NAME = re.compile(r"\.(zip|tar|t?gz|t?bz2|t?xz|zst|7z|rar|jar|cab|iso)$", re.IGNORECASE)
_ARCHIVE_START = re.compile(
    rb"PK\x03\x04|PK\x05\x06|\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ\0|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07"
    rb"|\x28\xb5\x2f\xfd|MSCF|.{257}ustar",
    re.DOTALL,
)
PACKED_START = 262
HOLDS_ARCHIVE = N_(
    "The ZIP holds another archive. Unpack that one first and make a ZIP of the slices."
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive with its path taken apart safely.

    Attributes:
        info: its entry.
        path: its path.
        refusal: why it must not be opened, where the archive was not refused for that.
    """

    info: zipfile.ZipInfo
    path: PurePosixPath
    refusal: str = ""

    @property
    def name(self) -> str:
        """Its path as the archive has it."""
        return self.info.filename

    @property
    def size(self) -> int:
        """Bytes that it unpacks to."""
        return self.info.file_size

    @property
    def folder(self) -> str:
        """The path of the folder that holds it."""
        return str(self.path.parent)


@contextmanager
def opened_zip(
    archive: BinaryIO, *, odd_members: bool = False
) -> Iterator[tuple[zipfile.ZipFile, tuple[Member, ...]]]:
    """The ZIP and its files, all of them checked.

    Args:
        archive: seekable.
        odd_members: name what must not be opened (archives, encrypted files, one name twice,
            links) instead of refusing the ZIP for it. Paths and limits refuse it all the same.

    Raises:
        ArchiveError: it is no ZIP, is damaged, even if that shows only in the with-block, or holds
            what is refused: absolute paths, "..", links, archives, encrypted files, more than the
            limits above.
    """
    try:
        _check_directory(archive)
        with zipfile.ZipFile(archive) as zipped:
            size = archive.seek(0, os.SEEK_END)
            yield zipped, _checked_members(zipped, size, odd_members)
    except _DAMAGE as error:
        raise ArchiveError(
            N_(
                "The file is no ZIP archive, or it is damaged or incomplete. Make it or upload it "
                "again; nothing was kept of it."
            )
        ) from error


def _check_directory(archive: BinaryIO) -> None:
    """Refuse a long directory before it is read: Python makes an object of each of its entries.

    Raises:
        ArchiveError: it takes more than `MAX_DIRECTORY` bytes.
    """
    # Private names: the size there is what Python reads, whatever the count
    end = zipfile._EndRecData(archive)  # type: ignore[attr-defined]
    if not end:
        return
    size = end[zipfile._ECD_SIZE]  # type: ignore[attr-defined]
    if size > MAX_DIRECTORY:
        raise ArchiveError(
            N_(
                "The directory of the ZIP is longer than that of {most:,} entries, which is what "
                "is unpacked at most.",
                most=MAX_MEMBERS,
            )
        )
    in_64_bits = end[zipfile._ECD_SIGNATURE] == zipfile.stringEndArchive64  # type: ignore[attr-defined]
    after = _END_64 if in_64_bits else 0
    archive.seek(max(0, end[zipfile._ECD_LOCATION] - size - after))  # type: ignore[attr-defined]
    _check_entries(archive.read(size))


def _check_entries(directory: bytes) -> None:
    """Refuse long fields, which Python copies once for each of their parts."""
    at = 0
    while at + _ENTRY <= len(directory):
        name, extra, comment = struct.unpack_from("<HHH", directory, at + 28)
        if name > MAX_NAME or extra > MAX_EXTRA:
            raise ArchiveError(
                N_(
                    "The ZIP holds a path, or notes on a file, of more than {most:,} bytes. It is "
                    "not unpacked.",
                    most=MAX_NAME,
                )
            )
        at += _ENTRY + name + extra + comment


def _checked_members(
    zipped: zipfile.ZipFile, archive_size: int, odd_members: bool
) -> tuple[Member, ...]:
    """The files of an archive, without the junk of file managers.

    Raises:
        ArchiveError: a member or the whole is refused.
    """
    infos = zipped.infolist()
    if len(infos) > MAX_MEMBERS:
        raise ArchiveError(
            N_(
                "The ZIP holds {entries:,} entries; at most {most:,} are unpacked.",
                entries=len(infos),
                most=MAX_MEMBERS,
            )
        )
    _check_sizes(infos, archive_size)
    members = [Member(info, _safe_path(info)) for info in infos]
    files = [m for m in members if _is_file(m.info) and not is_junk(m.path)]
    twice = [path for path, count in Counter(m.path for m in files).items() if count > 1]
    if twice and not odd_members:
        raise ArchiveError(N_("The ZIP holds two files of the same name in one folder."))
    checked = []
    for member in files:
        try:
            _check_file(zipped, member)
        except ArchiveError as error:
            if not odd_members:
                raise
            member = replace(member, refusal=error.message)
        checked.append(member)
    return tuple(checked)


def _check_sizes(infos: Sequence[zipfile.ZipInfo], archive_size: int) -> None:
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MAX_UNPACKED:
        raise ArchiveError(
            N_(
                "Unpacked, the ZIP takes {size:.1f} GB; at most {most} GB are taken. Split the "
                "data set, or put it into a folder on the server.",
                size=unpacked / 1024**3,
                most=MAX_UNPACKED // 1024**3,
            )
        )
    if unpacked > max(MANY_TIMES, MAX_RATIO * archive_size):
        raise ArchiveError(
            N_(
                "Unpacked, the ZIP is more than {most} times as large as itself, which slices "
                "never are. It is not unpacked.",
                most=MAX_RATIO,
            )
        )
    if sum(info.compress_size for info in infos) > archive_size:
        raise ArchiveError(N_("The files in the ZIP overlap each other. It is not unpacked."))


def _safe_path(info: zipfile.ZipInfo) -> PurePosixPath:
    """The member's path.

    Raises:
        ArchiveError: it leads outside.
    """
    if leads_outside(info.filename):
        raise ArchiveError(
            N_(
                "The ZIP holds a path that leads out of it (absolute or with “..”). It is not "
                "unpacked."
            )
        )
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if len(path.parts) > MAX_DEPTH:
        raise ArchiveError(
            N_("The ZIP holds more than {most} folders in each other.", most=MAX_DEPTH)
        )
    return path


def leads_outside(name: str) -> bool:
    """Whether a member's path is absolute or leads out of the archive."""
    name = name.replace("\\", "/")
    return name.startswith("/") or ".." in name.split("/") or bool(re.match("[A-Za-z]:", name))


def is_junk(path: PurePath) -> bool:
    """Whether a path is hidden, or is what file managers leave behind."""
    hidden = any(part.startswith(".") or part.lower() in _JUNK_FOLDERS for part in path.parts)
    return hidden or path.name.lower() in _JUNK_FILES


def _is_odd(info: zipfile.ZipInfo) -> bool:
    """Whether it is a link or a device."""
    return stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR)


def _is_file(info: zipfile.ZipInfo) -> bool:
    return _is_odd(info) or not info.is_dir()


def _check_file(zipped: zipfile.ZipFile, member: Member) -> None:
    if _is_odd(member.info):
        raise ArchiveError(
            N_("The ZIP holds a link or a device file. Put the slices themselves in.")
        )
    if member.info.flag_bits & _ENCRYPTED:
        raise ArchiveError(N_("The ZIP is locked with a password. Make it without one."))
    if member.info.compress_type not in _METHODS:
        raise ArchiveError(N_("The ZIP is packed by an unusual method. Make it with “Deflate”."))
    with zipped.open(member.info) as file:
        start = file.read(PACKED_START)
    if is_packed(member.path, start):
        raise ArchiveError(HOLDS_ARCHIVE)


def is_packed(path: PurePath, start: bytes) -> bool:
    """Whether a file is an archive by its name or by its first `PACKED_START` bytes."""
    return bool(_ARCHIVE_NAME.search(path.name) or _ARCHIVE_START.match(start))
