"""A ZIP from elsewhere -> a data set folder, whole or not at all, whatever the ZIP tries.

Python's own ``zipfile`` writes no member outside the destination, but it follows any size that an
archive claims. Here nothing is unpacked before every member has passed, no member's path is used
beyond its class and its file name, and what comes out is counted while it comes out.
"""

import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from covidct.data.index import CLASS_FOLDERS
from covidct.errors import DatasetError

MAX_MEMBERS = 20_000
MAX_UNPACKED = 4 * 1024**3
MAX_RATIO = 100  # PNG and JPEG do not shrink; DICOM shrinks to a quarter, a blank bitmap further

_CHUNK = 1024**2
_MANY_TIMES = 1024**2  # an archive that unpacks to less than this may be packed at any ratio
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what others unpack costs unbounded memory
_DAMAGE = (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, struct.error, zlib.error)
_ENCRYPTED = 0x1
_JUNK_FOLDERS = {"__MACOSX"}
_JUNK_FILES = {"thumbs.db", "desktop.ini"}
_NOT_SLICES = {".txt", ".csv", ".md", ".json", ".xml", ".html", ".xlsx", ".xls", ".pdf", ".docx"}
_ARCHIVE_NAME = re.compile(r"\.(zip|tar|t?gz|t?bz2|t?xz|zst|7z|rar|jar|cab|iso)$", re.IGNORECASE)
_ARCHIVE_START = re.compile(
    rb"PK\x03\x04|PK\x05\x06|\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ\0|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07"
    rb"|\x28\xb5\x2f\xfd|MSCF|.{257}ustar",
    re.DOTALL,
)
_ARCHIVE_START_LENGTH = 262
_COMPANION = re.compile(
    r"patients\.csv|Data-split/(?P<name>COVID|NonCOVID)/(train|val|test)CT_(?P=name)\.txt"
)
_OTHER_CLASS = re.compile(r"non|no[ _-]|not|neg|normal|health|control|other|without", re.I)
_COVID_CLASS = re.compile(r"co?vid|sars|cov[ _-]?2|cov19|ncp|pos", re.I)


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """A folder of an archive that directly holds slices.

    Attributes:
        name: its path in the archive, with forward slashes.
        slices: the number of files in it that may be slices.
    """

    name: str
    slices: int


@dataclass(frozen=True, slots=True)
class _Member:
    """A file of an archive with its path taken apart safely."""

    info: zipfile.ZipInfo
    path: PurePosixPath

    @property
    def folder(self) -> str:
        return str(self.path.parent)

    @property
    def may_be_slice(self) -> bool:
        return self.path.suffix.lower() not in _NOT_SLICES


def list_class_folders(archive: BinaryIO) -> tuple[ClassFolder, ...]:
    """The folders of a ZIP that hold slices, in order of names; nothing is unpacked.

    Raises:
        DatasetError: the file is no ZIP, is damaged, or holds what is refused: absolute paths,
            "..", links, archives, encrypted files, more than the limits above.
    """
    with _opened(archive) as (_, members):
        counted = Counter(member.folder for member in members if member.may_be_slice)
    return tuple(ClassFolder(name, counted[name]) for name in sorted(counted) if name != ".")


def guess_classes(names: Sequence[str]) -> tuple[str, str] | None:
    """Which folder holds COVID-19 and which the others, told by the last part of their paths.

    Returns:
        (COVID folder, other folder), or None where the names do not say so beyond doubt.
    """
    last = {name: PurePosixPath(name).name for name in names}
    covid = [n for n in names if _COVID_CLASS.search(last[n]) and not _OTHER_CLASS.search(last[n])]
    if len(last) != 2 or len(covid) != 1:
        return None
    (other,) = last.keys() - covid
    return covid[0], other


def unpack_dataset(archive: BinaryIO, to: Path, classes: tuple[str, str] | None = None) -> Path:
    """Unpack a ZIP of two class folders as a data set folder.

    The folders become ``CT_COVID`` and ``CT_NonCOVID``. A ``patients.csv`` and official lists
    under ``Data-split`` come along where the ZIP holds one of each; all else is left behind.

    Args:
        archive: the ZIP, seekable.
        to: the folder to make; it appears complete or not at all.
        classes: the folders (COVID, other) as :func:`list_class_folders` names them, or None to
            have them guessed.

    Returns:
        ``to``.

    Raises:
        DatasetError: as :func:`list_class_folders`; or the classes are not to be told, the folder
            exists, or the disk is full.
    """
    with _opened(archive) as (zipped, members):
        folders = list(dict.fromkeys(m.folder for m in members if m.may_be_slice))
        covid, other = _chosen(classes, [name for name in folders if name != "."])
        wanted = {covid: CLASS_FOLDERS["COVID"], other: CLASS_FOLDERS["NonCOVID"]}
        targets = {
            PurePosixPath(wanted[member.folder], member.path.name): member
            for member in members
            if member.folder in wanted and member.may_be_slice
        }
        _write_folder(zipped, targets | _companions(members), to)
    return to


def unpack_folder(archive: BinaryIO, name: str, to: Path) -> Path:
    """Unpack the slices of one folder of a ZIP, named by the last part of its path, as ``to``.

    Raises:
        DatasetError: as :func:`unpack_dataset`, or there is not exactly one such folder.
    """
    with _opened(archive) as (zipped, members):
        inside = [m for m in members if m.path.parent.name == name and m.may_be_slice]
        if len({member.folder for member in inside}) != 1:
            raise DatasetError(f"The ZIP does not hold one folder {name} with slices in it.")
        _write_folder(zipped, {PurePosixPath(m.path.name): m for m in inside}, to)
    return to


def _chosen(classes: tuple[str, str] | None, folders: list[str]) -> tuple[str, str]:
    """The two class folders, checked."""
    if classes is None:
        classes = guess_classes(folders)
    if classes is None:
        raise DatasetError(
            f"The ZIP should hold two folders with slices directly in them, one for each class, "
            f"such as CT_COVID and CT_NonCOVID. Found: {_listed(folders)}. Name the folders so, "
            "or choose which is which."
        )
    missing = [name for name in classes if name not in folders]
    if missing or classes[0] == classes[1]:
        raise DatasetError(
            f"Two different folders of the ZIP are needed as classes. Found: {_listed(folders)}."
        )
    return classes


def _listed(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(sorted(names)[:most]) or "none") + more


def _companions(members: Sequence[_Member]) -> dict[PurePosixPath, _Member]:
    """Patients and official lists, where there is no doubt which."""
    found: dict[PurePosixPath, list[_Member]] = {}
    for member in members:
        for start in range(len(member.path.parts)):
            tail = PurePosixPath(*member.path.parts[start:])
            if _COMPANION.fullmatch(str(tail)):
                found.setdefault(tail, []).append(member)
    return {tail: those[0] for tail, those in found.items() if len(those) == 1}


@contextmanager
def _opened(archive: BinaryIO) -> Iterator[tuple[zipfile.ZipFile, tuple[_Member, ...]]]:
    """The ZIP and its checked members; whatever its damage raises becomes a DatasetError."""
    try:
        archive.seek(0)
        with zipfile.ZipFile(archive) as zipped:
            size = archive.seek(0, os.SEEK_END)
            yield zipped, _checked_members(zipped, size)
    except DatasetError:
        raise
    except _DAMAGE as error:
        raise DatasetError(
            "The file is no ZIP archive, or it is damaged or incomplete. Make it or upload it "
            "again; nothing was kept of it."
        ) from error


def _checked_members(zipped: zipfile.ZipFile, archive_size: int) -> tuple[_Member, ...]:
    """The files of an archive, without the junk of file managers.

    Raises:
        DatasetError: a member or the whole is refused.
    """
    infos = zipped.infolist()
    if len(infos) > MAX_MEMBERS:
        raise DatasetError(
            f"The ZIP holds {len(infos):,} entries; at most {MAX_MEMBERS:,} are unpacked."
        )
    _check_sizes(infos, archive_size)
    members = [_Member(info, _safe_path(info)) for info in infos]
    files = [m for m in members if not m.info.is_dir() and not _is_junk(m.path)]
    twice = [path for path, count in Counter(m.path for m in files).items() if count > 1]
    if twice:
        raise DatasetError("The ZIP holds two files of the same name in one folder.")
    for member in files:
        _check_file(zipped, member)
    return tuple(files)


def _check_sizes(infos: Sequence[zipfile.ZipInfo], archive_size: int) -> None:
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MAX_UNPACKED:
        raise DatasetError(
            f"Unpacked, the ZIP takes {unpacked / 1024**3:.1f} GB; at most "
            f"{MAX_UNPACKED // 1024**3} GB are taken. Split the data set, or put it into a folder "
            "on the server."
        )
    if unpacked > max(_MANY_TIMES, MAX_RATIO * archive_size):
        raise DatasetError(
            f"Unpacked, the ZIP is more than {MAX_RATIO} times as large as itself, which slices "
            "never are. It is not unpacked."
        )
    if sum(info.compress_size for info in infos) > archive_size:
        raise DatasetError("The files in the ZIP overlap each other. It is not unpacked.")


def _safe_path(info: zipfile.ZipInfo) -> PurePosixPath:
    """The member's path.

    Raises:
        DatasetError: it leads outside, or the member is a link or a device.
    """
    name = info.filename.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise DatasetError(
            "The ZIP holds a path that leads out of it (absolute or with “..”). It is not unpacked."
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DatasetError("The ZIP holds a link or a device file. Put the slices themselves in.")
    return PurePosixPath(name)


def _is_junk(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part in _JUNK_FOLDERS for part in path.parts)
    return hidden or path.name.lower() in _JUNK_FILES


def _check_file(zipped: zipfile.ZipFile, member: _Member) -> None:
    if member.info.flag_bits & _ENCRYPTED:
        raise DatasetError("The ZIP is locked with a password. Make it without one.")
    if member.info.compress_type not in _METHODS:
        raise DatasetError("The ZIP is packed by an unusual method. Make it with “Deflate”.")
    with zipped.open(member.info) as file:
        start = file.read(_ARCHIVE_START_LENGTH)
    if _ARCHIVE_NAME.search(member.path.name) or _ARCHIVE_START.match(start):
        raise DatasetError(
            "The ZIP holds another archive. Unpack that one first and make a ZIP of the slices."
        )


def _write_folder(
    zipped: zipfile.ZipFile, targets: Mapping[PurePosixPath, _Member], to: Path
) -> None:
    """Write the members under their target paths into a new folder that appears when complete."""
    if to.exists():
        raise DatasetError(f"There is a folder {to.name} already; nothing was written over it.")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=to.parent) as workplace:
            folder = Path(workplace) / "data"
            folder.mkdir()
            for target, member in targets.items():
                path = folder / target
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_file(zipped, member, path)
            folder.rename(to)
    except OSError as error:
        raise DatasetError(
            f"The ZIP could not be unpacked: {error.strerror or error}. Nothing was kept of it."
        ) from error


def _write_file(zipped: zipfile.ZipFile, member: _Member, path: Path) -> None:
    """Write one file; ``zipfile`` stops at the declared size and compares the checksum."""
    with zipped.open(member.info) as source, path.open("xb") as out:
        shutil.copyfileobj(source, out, _CHUNK)
        if out.tell() != member.info.file_size:
            raise zipfile.BadZipFile("a file is shorter than declared")
