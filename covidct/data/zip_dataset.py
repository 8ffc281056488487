"""A ZIP from elsewhere -> a data set folder, whole or not at all, whatever the ZIP tries.

No member's path is used beyond its class and its file name.
"""

import re
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from covidct.data.classes import CLASS_PREFIX, COVID, MOST_CLASSES, NON_COVID, as_class_name
from covidct.data.index import LESIONS, LUNGS, UNLABELLED_FOLDER
from covidct.data.room import room_for
from covidct.errors import DatasetError
from covidct.messages import N_
from covidct.zip_files import Member, opened_zip

_NOT_SLICES = {".txt", ".csv", ".md", ".json", ".xml", ".html", ".xlsx", ".xls", ".pdf", ".docx"}
_COMPANION = re.compile(
    r"(patients|corrections)\.csv|Data-split/(?P<name>[^/]+)/(train|val|test)CT_(?P=name)\.txt"
)
_COMPANION_PARTS = (1, 3)
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


def _may_be_slice(member: Member) -> bool:
    return member.path.suffix.lower() not in _NOT_SLICES


def _folders_of_slices(members: Sequence[Member]) -> Iterator[str]:
    """The folder of each file that may be a slice; masks lie in folders of their own names."""
    for member in members:
        if _may_be_slice(member) and member.path.parent.name not in (LUNGS, LESIONS):
            yield member.folder


def list_class_folders(archive: BinaryIO) -> tuple[ClassFolder, ...]:
    """The folders of a ZIP that hold slices of a class, in order of names; nothing is unpacked.

    Raises:
        DatasetError: the file is no ZIP, is damaged, or holds what is refused: absolute paths,
            "..", links, archives, encrypted files, more than the limits above.
    """
    with opened_zip(archive) as (_, members):
        counted = Counter(_folders_of_slices(members))
    return tuple(
        ClassFolder(name, counted[name])
        for name in sorted(counted)
        if name != "." and not _is_unlabelled(name)
    )


def guess_classes(names: Sequence[str]) -> tuple[str, ...] | None:
    """Which folder holds COVID-19 and which others, told by the last part of their paths.

    Returns:
        The folder of COVID-19 and then the others, or None where the names do not say so beyond
        doubt.
    """
    last = {name: PurePosixPath(name).name for name in names}
    covid = [n for n in names if _COVID_CLASS.search(last[n]) and not _OTHER_CLASS.search(last[n])]
    if len(last) < 2 or len(covid) != 1:
        return None
    return *covid, *(name for name in last if name not in covid)


def name_classes(folders: Sequence[str]) -> dict[str, str]:
    """The class that each folder becomes, "COVID" the first.

    A single other one becomes "NonCOVID", unless it is called as those of classes are; of several
    each is a class by its own name.

    Raises:
        DatasetError: there are too many, two would be the same class, or a name holds no letter or
            digit by which to call one.
    """
    covid, *others = folders
    if len(folders) > MOST_CLASSES:
        raise DatasetError(
            N_(
                "{count} folders are chosen as classes; {most} are the most.",
                count=len(folders),
                most=MOST_CLASSES,
            )
        )
    if len(others) == 1 and not PurePosixPath(others[0]).name.startswith(CLASS_PREFIX):
        return {covid: COVID, others[0]: NON_COVID}
    names = {covid: COVID} | {folder: _own_name(folder) for folder in others}
    first: dict[str, str] = {}  # by names in lower case, which is one folder on some disks
    for folder, name in names.items():
        twin = first.setdefault(name.lower(), folder)
        if twin != folder:
            raise DatasetError(
                N_(
                    "The folders {one} and {other} would be the same class, {name}. Leave one of "
                    "them out, or give it another name.",
                    one=twin,
                    other=folder,
                    name=name,
                )
            )
    return names


def _own_name(folder: str) -> str:
    name = as_class_name(PurePosixPath(folder).name.removeprefix(CLASS_PREFIX))
    if not name:
        raise DatasetError(
            N_(
                "No class can be called like the folder {folder}. Leave it out, or give it a name "
                "of the letters A to Z, digits, hyphens and underscores.",
                folder=folder,
            )
        )
    return name


def unpack_dataset(archive: BinaryIO, to: Path, classes: Sequence[str] | None = None) -> Path:
    """Unpack a ZIP of a folder for each class as a data set folder.

    The folders become ``CT_COVID`` and ``CT_NonCOVID``, or ``CT_COVID`` and several others as
    :func:`name_classes` calls them. A folder ``CT_Unlabelled``, a ``patients.csv``, a
    ``corrections.csv``, official lists of these classes under ``Data-split``, and folders
    ``lung-masks`` and ``lesion-masks`` come along where the ZIP holds one of each; all else is left
    behind.

    Args:
        archive: the ZIP, seekable.
        to: the folder to make; it appears complete or not at all.
        classes: the folder of COVID-19 and then those of the other classes, as
            :func:`list_class_folders` names them, or None to have them guessed.

    Returns:
        ``to``.

    Raises:
        DatasetError: as :func:`list_class_folders` and :func:`name_classes`; or the classes are not
            to be told, the folder exists, data sets may take no more of the disk, or it is full.
    """
    with opened_zip(archive) as (zipped, members):
        folders = list(dict.fromkeys(_folders_of_slices(members)))
        unlabelled = [name for name in folders if _is_unlabelled(name)]
        names = _chosen(classes, [n for n in folders if n != "." and n not in unlabelled])
        wanted = {folder: f"{CLASS_PREFIX}{name}" for folder, name in names.items()}
        if len(unlabelled) == 1:
            wanted[unlabelled[0]] = UNLABELLED_FOLDER
        targets = {
            PurePosixPath(wanted[member.folder], member.path.name): member
            for member in members
            if member.folder in wanted and _may_be_slice(member)
        }
        targets |= _companions(members, names.values()) | _masks(members)
        with room_for(sum(member.info.file_size for member in targets.values())):
            _write_folder(zipped, targets, to)
    return to


def unpack_folder(archive: BinaryIO, name: str, to: Path) -> Path:
    """Unpack the slices of one folder of a ZIP, named by the last part of its path, as ``to``.

    Raises:
        DatasetError: as :func:`unpack_dataset`, or there is not exactly one such folder.
    """
    with opened_zip(archive) as (zipped, members):
        inside = [m for m in members if m.path.parent.name == name and _may_be_slice(m)]
        if len({member.folder for member in inside}) != 1:
            raise DatasetError(
                N_("The ZIP does not hold one folder {name} with slices in it.", name=name)
            )
        _write_folder(zipped, {PurePosixPath(m.path.name): m for m in inside}, to)
    return to


def _is_unlabelled(folder: str) -> bool:
    return PurePosixPath(folder).name == UNLABELLED_FOLDER


def _chosen(classes: Sequence[str] | None, folders: Sequence[str]) -> dict[str, str]:
    """The classes of the chosen folders, checked."""
    if classes is None:
        classes = guess_classes(folders)
    if classes is None:
        raise DatasetError(
            N_(
                "The ZIP should hold a folder for each class with slices directly in it, such as "
                "CT_COVID and CT_NonCOVID. Found: {folders}. Name the folders so, or choose which "
                "is which.",
                folders=_listed(folders),
            )
        )
    different = set(classes)
    if not different <= set(folders) or not 2 <= len(different) == len(classes):
        raise DatasetError(
            N_(
                "Two different folders of the ZIP are needed as classes. Found: {folders}.",
                folders=_listed(folders),
            )
        )
    return name_classes(classes)


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(sorted(names)[:most])
    if len(names) > most:
        return N_("{shown} and {more} more", shown=shown, more=len(names) - most)
    return shown if names else N_("none")


def _companions(members: Sequence[Member], classes: Collection[str]) -> dict[PurePosixPath, Member]:
    """Patients and official lists of classes, where there is no doubt which."""
    found: dict[PurePosixPath, list[Member]] = {}
    for member in members:
        for tail in {PurePosixPath(*member.path.parts[-parts:]) for parts in _COMPANION_PARTS}:
            named = _COMPANION.fullmatch(str(tail))
            if named and (named["name"] is None or named["name"] in classes):
                found.setdefault(tail, []).append(member)
    return {tail: those[0] for tail, those in found.items() if len(those) == 1}


def _masks(members: Sequence[Member]) -> dict[PurePosixPath, Member]:
    """Drawn masks, where there is no doubt which."""
    found: dict[PurePosixPath, Member] = {}
    for name in (LUNGS, LESIONS):
        drawn = [m for m in members if m.path.parent.name == name and _may_be_slice(m)]
        if len({member.folder for member in drawn}) == 1:
            found |= {PurePosixPath(name, member.path.name): member for member in drawn}
    return found


def _write_folder(
    zipped: zipfile.ZipFile, targets: Mapping[PurePosixPath, Member], to: Path
) -> None:
    """Write the members under their target paths into a new folder that appears when complete."""
    if to.exists():
        raise DatasetError(
            N_("There is a folder {folder} already; nothing was written over it.", folder=to.name)
        )
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
            N_(
                "The ZIP could not be unpacked: {reason}. Nothing was kept of it.",
                reason=error.strerror or error,
            )
        ) from error


def _write_file(zipped: zipfile.ZipFile, member: Member, path: Path) -> None:
    """Write one file; ``zipfile`` stops at the declared size and compares the checksum."""
    with zipped.open(member.info) as source, path.open("xb") as out:
        shutil.copyfileobj(source, out)
        if out.tell() != member.info.file_size:
            raise zipfile.BadZipFile("a file is shorter than declared")
