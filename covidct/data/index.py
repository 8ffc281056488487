"""Which slices a data set holds: paths, labels, patients and official splits; no pixels yet.

Two layouts are understood: the upstream COVID-CT repository (``Images-processed/CT_COVID``,
``Images-processed/CT_NonCOVID`` and the lists ``Data-split/COVID/trainCT_COVID.txt`` and so on) and
just two folders ``CT_COVID`` and ``CT_NonCOVID``. Slices without COVID-19 may lie in several
folders, each a class of its own: ``CT_Normal``, ``CT_Pneumonia``. Beside them a folder
``CT_Unlabelled`` may hold slices that nobody has labelled yet.
"""

import csv
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from io import StringIO
from os import PathLike
from pathlib import Path

from covidct.data.classes import (
    CLASS_PREFIX,
    COVID,
    MOST_CLASSES,
    NON_COVID,
    as_class_name,
    is_class_name,
)
from covidct.data.corrections import LEFT_OUT, Corrected, Correction, count, read_corrections
from covidct.errors import DatasetError
from covidct.files import sha256_of
from covidct.messages import N_
from covidct.zip_files import is_junk

SPLITS = ("train", "val", "test")
HALVES = ("first-half", "second-half")
CLASS_FOLDERS = {COVID: f"{CLASS_PREFIX}{COVID}", NON_COVID: f"{CLASS_PREFIX}{NON_COVID}"}
LUNGS, LESIONS = "lung-masks", "lesion-masks"  # folders of masks beside those of slices
UNLABELLED = "Unlabelled"
UNLABELLED_FOLDER = f"{CLASS_PREFIX}{UNLABELLED}"
EXCLUDED_BY_CHOICE = N_("Excluded by choice after the data check.")
NO_CLASS = N_("No class can be called so: none but COVID begins with COVID, none is Other.")
LEFT_OUT_BY_CORRECTION = N_("Left out by a correction of labels.")

# SHA-256 of COVID-CT's CT_NonCOVID/71%0.jpg and 71%1.jpg: figures of a COVID-19 paper, which the
# upstream test list holds as COVID
_KNOWN_MISLABELLED = frozenset(
    {
        "79c92f62e29718eab7abcb983bdfee6dfaa335ac641a8ab9b8c845002c46962e",
        "bf62879ff4a56adc82854adb16851fe1074a06e3c5a2c8656281fb688cb186db",
    }
)
_NEIGHBOURS = 20
_LONGEST_LIST = 16 * 1024**2  # bytes; more than a hundred thousand slices need
_NUMBERED_NAME = re.compile(r"(?P<series>.*?)[\s_%(-]*(?P<number>\d+)\)?")


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a data set.

    Attributes:
        path: where it is.
        label: 1 for COVID-19, 0 for anything else; as corrected, where somebody did.
        patient: slices with the same value must stay on the same side of any split.
        split: "train", "val" or "test" by the official lists, or None.
        name: the folder that it was filed in and its path there, "CT_COVID/a.png"; empty of what
            comes from no data set.
        other: the class that it is of without COVID-19.
    """

    path: Path
    label: int
    patient: str
    split: str | None = None
    name: str = ""
    other: str = NON_COVID

    @property
    def class_name(self) -> str:
        """ "COVID" or "NonCOVID", as upstream names the classes, or one of several others."""
        return COVID if self.label else self.other

    @property
    def filed(self) -> tuple[str, str]:
        """The class for which its folder stands, whatever the label, and its path there."""
        folder, _, file = self.name.partition("/")
        return folder.removeprefix(CLASS_PREFIX), file


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Index:
    """The items of a data set in a fixed order, and the files left out.

    Attributes:
        root: its folder.
        items: what has a label.
        skipped: files left out.
        unlabelled: files that nobody has labelled yet.
        corrected: files to which a correction of labels applies.
        unmatched: how many corrections belong to no file that is here.
    """

    root: Path
    items: tuple[Item, ...]
    skipped: tuple[Skipped, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    corrected: tuple[Corrected, ...] = ()
    unmatched: int = 0

    @property
    def name(self) -> str:
        """What the data set's folder is called."""
        return self.root.resolve().name

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that have slices, COVID-19 first, then by name."""
        names = {item.class_name for item in self.items}
        return tuple(sorted(names, key=lambda name: (name != COVID, name)))

    @property
    def splits(self) -> frozenset[str]:
        """The official splits it has lists for."""
        return frozenset(item.split for item in self.items if item.split)

    @property
    def corrections(self) -> dict[str, int]:
        """How many corrections of labels were applied, as :func:`.corrections.count` counts."""
        return count(self.corrected, self.unmatched)

    def subset(self, split: str) -> tuple[Item, ...]:
        """Items of an official split, of a half, or every item for "all".

        The halves are of each class's patients in the order of their names' numbers, so that
        neighbours, which may show one patient, stay together: for data sets that know neither
        lists nor patients.

        Raises:
            DatasetError: the data set has no such list.
        """
        if split in HALVES:
            return self._half(HALVES.index(split))
        chosen = tuple(item for item in self.items if split in ("all", item.split))
        if not chosen:
            held = ", ".join(s for s in SPLITS if s in self.splits) or "none"
            raise DatasetError(
                N_(
                    "This data set has no “{split}” list (lists found: {held}). Choose another "
                    "split, or “all”.",
                    split=split,
                    held=held,
                )
            )
        return chosen

    def _half(self, which: int) -> tuple[Item, ...]:
        chosen: list[Item] = []
        # By their patients' folders, so that these stay whole whatever a slice is relabelled
        for filed in dict.fromkeys(map(_filed_as, self.items)):
            items = [item for item in self.items if _filed_as(item) == filed]
            patients = sorted({item.patient for item in items}, key=_by_numbers)
            middle = len(patients) // 2
            kept = frozenset(patients[middle:] if which else patients[:middle])
            chosen += [item for item in items if item.patient in kept]
        return tuple(chosen)


def _filed_as(item: Item) -> str:
    return item.patient.partition("/")[0]


def _by_numbers(name: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def read_index(
    path: str | PathLike,
    exclude: Collection[str] = (),
    corrections: Collection[Correction] | None = None,
    *,
    official_lists: bool = True,
    one_class: bool = False,
) -> Index:
    """List a data set folder.

    A folder below a class folder holds the slices of one patient, whose name it is. Otherwise
    patients come from ``patients.csv`` (columns class, file, patient) where there is one. Elsewhere
    files are grouped by name, so that neighbours that may show one patient stay together: numbered
    files of the same series of names form blocks of 20 consecutive numbers.

    A slice keeps its patient and its list when its label is corrected. One of ``CT_Unlabelled``
    that was labelled joins training where there are official lists, which do not know it.

    Args:
        path: folder in one of the two layouts above.
        exclude: files to leave out, each as its class folder and name ("CT_COVID/a.png").
        corrections: of labels; None takes those that are in force.
        official_lists: heed the training and validation lists where there are any; a test list
            always is.
        one_class: do with one of the two folders where the other is missing.

    Raises:
        DatasetError: the folder is missing, has another layout, lacks a class and has no
            ``CT_Unlabelled`` either, or one of its tables cannot be read; or it has too many
            classes, or some whose names are alike but for capital letters.
    """
    root = Path(path)
    folders = class_folders(root)
    missing = [] if COVID in folders else [CLASS_FOLDERS[COVID]]
    if not folders.keys() - {COVID}:
        missing.append(CLASS_FOLDERS[NON_COVID])
    unlabelled_folder = images_folder(root) / UNLABELLED_FOLDER
    enough = (one_class and folders) or unlabelled_folder.is_dir()
    if missing and not enough:
        raise DatasetError(
            N_(
                "{root} is not a data set: {folders} missing. Expected are folders CT_COVID and "
                "CT_NonCOVID, or other classes, directly or below Images-processed.",
                root=root,
                folders=_named(*missing),
            )
        )
    if corrections is None:
        corrections = read_corrections(root)
    corrected_to = {correction.decision for correction in corrections}
    classes = folders.keys() | corrected_to & CLASS_FOLDERS.keys()
    _refuse_unclear(root, classes)
    by_content = {correction.sha256: correction for correction in corrections}
    unmatched = set(by_content)
    patients, splits, exclude = read_patients(root), _read_splits(root, folders), frozenset(exclude)
    has_lists = official_lists and {"train", "val"} <= set(splits.values())
    items, unlabelled, corrected = [], [], []
    skipped = [Skipped(folder, NO_CLASS) for folder in _strange_folders(root)]
    if unlabelled_folder.is_dir():
        folders[UNLABELLED] = unlabelled_folder
    for class_name, folder in folders.items():
        files = files_below(folder)
        if not files and class_name in CLASS_FOLDERS:  # others may yet be filled by labelling
            raise DatasetError(N_("The folder {folder} holds no files.", folder=folder.name))
        for file in files:
            name = file.relative_to(folder).as_posix()
            key = (class_name, name)
            split = splits.pop(key, None)
            if split != "test" and not official_lists:
                split = None
            digest = sha256_of(file) if by_content or class_name == NON_COVID else ""
            unmatched.discard(digest)
            if f"{folder.name}/{name}" in exclude:
                skipped.append(Skipped(file, EXCLUDED_BY_CHOICE))
                continue
            correction = by_content.get(digest)
            if correction:
                corrected.append(Corrected(file, class_name, correction))
            label = _label(class_name, correction)
            if reason := _why_left_out(label, digest, correction, classes):
                skipped.append(Skipped(file, reason))
                continue
            if label == UNLABELLED:
                unlabelled.append(file)
                continue
            if class_name == UNLABELLED and has_lists:
                split = "train"
            patient = patients.get(key) or name.rpartition("/")[0] or group_by_name(name)
            # Who is named is one patient in whichever classes without COVID-19
            is_other = key in patients and class_name not in (COVID, UNLABELLED)
            items.append(
                Item(
                    file,
                    int(label == COVID),
                    f"{NON_COVID if is_other else class_name}/{patient}",
                    split,
                    f"{folder.name}/{name}",
                    NON_COVID if label == COVID else label,
                )
            )
    skipped += [
        Skipped(folders[class_name] / name, N_("Named in the official lists, but missing."))
        for class_name, name in splits
    ]
    return Index(
        root,
        tuple(items),
        tuple(skipped),
        tuple(unlabelled),
        tuple(corrected),
        len(unmatched),
    )


def _refuse_unclear(root: Path, classes: Collection[str]) -> None:
    """Refuse more classes than can be told apart, and such as some disks do not tell apart."""
    if len(classes) > MOST_CLASSES:
        raise DatasetError(
            N_(
                "{root} has {count} classes; {most} are the most.",
                root=root,
                count=len(classes),
                most=MOST_CLASSES,
            )
        )
    if len({name.lower() for name in classes}) < len(classes):
        raise DatasetError(
            N_("{root} has class folders whose names differ in capital letters alone.", root=root)
        )


def _strange_folders(root: Path) -> list[Path]:
    """Folders called as if they were of a class, by whose name there can be none."""
    return [
        folder
        for folder in _prefixed_folders(root)
        if folder.name != UNLABELLED_FOLDER
        and not is_class_name(folder.name.removeprefix(CLASS_PREFIX))
    ]


def _prefixed_folders(root: Path) -> list[Path]:
    folders = sorted(images_folder(root).glob(f"{CLASS_PREFIX}*"))
    return [folder for folder in folders if folder.is_dir()]


def _label(filed: str, correction: Correction | None) -> str:
    """The class of a file by its folder, or by who corrected it."""
    return correction.decision if correction and is_class_name(correction.decision) else filed


def _why_left_out(
    label: str, digest: str, correction: Correction | None, classes: Collection[str]
) -> str:
    """Why a file of this content is not used; empty where it is."""
    if label not in (*classes, UNLABELLED):
        return N_("Corrected to the class {name}, of which there is no folder.", name=label)
    if correction and correction.decision == LEFT_OUT:
        return LEFT_OUT_BY_CORRECTION
    confirmed = correction and is_class_name(correction.decision)
    if label == NON_COVID and digest in _KNOWN_MISLABELLED and not confirmed:
        return N_("Known to be labelled wrongly in COVID-CT.")
    return ""


def files_below(folder: Path) -> list[Path]:
    """The files of a class folder and of the folders in it, without what systems leave there."""
    found = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in found if not is_junk(file.relative_to(folder)))


def images_folder(root: Path) -> Path:
    """Where the class folders of a data set lie."""
    images = root / "Images-processed"
    return images if images.is_dir() else root


def class_folders(root: Path) -> dict[str, Path]:
    """The folders of a data set's classes that are there, COVID-19 first, then by name."""
    images = images_folder(root)
    if not any((images / folder).is_dir() for folder in CLASS_FOLDERS.values()):
        return {}  # folders of masks may be called in any way
    named = {
        folder.name.removeprefix(CLASS_PREFIX): folder
        for folder in _prefixed_folders(root)
        if is_class_name(folder.name.removeprefix(CLASS_PREFIX))
    }
    covid = named.pop(COVID, None)
    return ({COVID: covid} if covid else {}) | named


def has_masks(root: Path) -> bool:
    """Whether lungs and opacities are drawn on slices of a data set, in folders beside them."""
    return all((root / name).is_dir() for name in (LUNGS, LESIONS))


def group_by_name(file_name: str) -> str:
    """A stand-in for the patient where none is known: the name without its place in a series."""
    stem = file_name.rpartition(".")[0] or file_name
    numbered = _NUMBERED_NAME.fullmatch(stem)
    if not numbered:
        return stem
    return f"{numbered['series']}#{int(numbered['number']) // _NEIGHBOURS}"


def read_patients(root: Path) -> dict[tuple[str, str], str]:
    """The patients that ``patients.csv`` names, by class and file; empty where there is none.

    Raises:
        DatasetError: it is no such table.
    """
    table = root / "patients.csv"
    if not table.exists():
        return {}
    rows = csv.DictReader(StringIO(_text_of(table)))
    if not {"class", "file", "patient"} <= set(rows.fieldnames or ()):
        raise DatasetError(
            N_("patients.csv must have the columns class, file and patient, divided by commas.")
        )
    return {
        (as_class_name(row["class"]) or row["class"], row["file"]): row["patient"] for row in rows
    }


def _text_of(file: Path) -> str:
    """What a table or list beside the slices says.

    Raises:
        DatasetError: it is too long for one, or not UTF-8.
    """
    if file.stat().st_size > _LONGEST_LIST:
        raise DatasetError(
            N_("{file} is longer than the list of a data set can be.", file=file.name)
        )
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(N_("{file} is not UTF-8. Save it as UTF-8.", file=file.name)) from error


def _named(folder: str, other: str = "") -> str:
    return N_("{folder} and {other}", folder=folder, other=other) if other else folder


def _read_splits(root: Path, classes: Iterable[str]) -> dict[tuple[str, str], str]:
    splits: dict[tuple[str, str], str] = {}
    for class_name in classes:
        for split in SPLITS:
            listing = root / "Data-split" / class_name / f"{split}CT_{class_name}.txt"
            if listing.exists():
                names = _text_of(listing).splitlines()
                splits |= {(class_name, name.strip()): split for name in names if name.strip()}
    return splits
