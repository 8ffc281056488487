"""Where files come from: a folder, an archive or an upload, as names with bytes read late."""

from functools import partial
from pathlib import Path

from covidct.errors import ArchiveError
from covidct.imaging.file import File, load, refused
from covidct.imaging.packed import START, Walk, is_archive, is_walked, unpack
from covidct.zip_files import is_junk


def files_at(path: Path) -> list[File]:
    """The files of a folder in order of names, of an archive likewise, or the one file itself.

    An archive in the folder, or in an archive, is walked as if it were a folder. A link to a folder
    is not followed.

    Raises:
        ArchiveError: an archive is damaged, or must not be unpacked.
    """
    walk = Walk()
    if path.is_dir():
        found = (file for file in sorted(path.rglob("*")) if file.is_file())
        paths = [file for file in found if not is_junk(file.relative_to(path))]
        return [file for one in paths for file in _in_folder(one, walk)]
    if is_archive(_start(path)):
        return unpack(str(path), path.absolute(), walk)
    return [_at(path)]


def uploaded(name: str, data: bytes) -> list[File]:
    """An upload, or the files in it if it is an archive.

    Raises:
        ArchiveError: an archive is damaged, or must not be unpacked.
    """
    if is_archive(data[:START]):
        return unpack(name, data, Walk())
    return [File(name, lambda: data)]


def _at(path: Path) -> File:
    return File(str(path), partial(load, path.absolute()))  # wherever it is read


def _in_folder(path: Path, walk: Walk) -> list[File]:
    """A file of a folder, or what is in it; an archive that must not be unpacked says so."""
    if not is_walked(path, _start(path)):
        return [_at(path)]
    try:
        return unpack(str(path), path.absolute(), walk)
    except ArchiveError as error:
        return [refused(str(path), error.message)]


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(START)
    except (OSError, ValueError):
        return b""  # reading it will say why
