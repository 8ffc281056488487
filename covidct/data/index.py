"""Which slices a data set holds: paths, labels, patients and official splits; no pixels yet.

Two layouts are understood: the upstream COVID-CT repository (``Images-processed/CT_COVID``,
``Images-processed/CT_NonCOVID`` and the lists ``Data-split/COVID/trainCT_COVID.txt`` and so on) and
just two folders ``CT_COVID`` and ``CT_NonCOVID``.
"""

import csv
import re
from collections.abc import Collection
from dataclasses import dataclass
from io import StringIO
from os import PathLike
from pathlib import Path

from covidct.errors import DatasetError
from covidct.files import sha256_of
from covidct.messages import N_
from covidct.zip_files import is_junk

SPLITS = ("train", "val", "test")
HALVES = ("first-half", "second-half")
CLASS_FOLDERS = {"COVID": "CT_COVID", "NonCOVID": "CT_NonCOVID"}
LUNGS, LESIONS = "lung-masks", "lesion-masks"  # folders of masks beside those of slices
EXCLUDED_BY_CHOICE = N_("Excluded by choice after the data check.")

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
        label: 1 for COVID-19, 0 for anything else.
        patient: slices with the same value must stay on the same side of any split.
        split: "train", "val" or "test" by the official lists, or None.
    """

    path: Path
    label: int
    patient: str
    split: str | None = None

    @property
    def class_name(self) -> str:
        """ "COVID" or "NonCOVID", as upstream names the classes."""
        return "COVID" if self.label else "NonCOVID"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Index:
    """The items of a data set in a fixed order, and the files left out."""

    root: Path
    items: tuple[Item, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def name(self) -> str:
        """What the data set's folder is called."""
        return self.root.resolve().name

    @property
    def splits(self) -> frozenset[str]:
        """The official splits it has lists for."""
        return frozenset(item.split for item in self.items if item.split)

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
        for class_name in CLASS_FOLDERS:
            items = [item for item in self.items if item.class_name == class_name]
            patients = sorted({item.patient for item in items}, key=_by_numbers)
            middle = len(patients) // 2
            kept = frozenset(patients[middle:] if which else patients[:middle])
            chosen += [item for item in items if item.patient in kept]
        return tuple(chosen)


def _by_numbers(name: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def read_index(
    path: str | PathLike,
    exclude: Collection[str] = (),
    *,
    official_lists: bool = True,
    one_class: bool = False,
) -> Index:
    """List a data set folder.

    A folder below a class folder holds the slices of one patient, whose name it is. Otherwise
    patients come from ``patients.csv`` (columns class, file, patient) where there is one. Elsewhere
    files are grouped by name, so that neighbours that may show one patient stay together: numbered
    files of the same series of names form blocks of 20 consecutive numbers.

    Args:
        path: folder in one of the two layouts above.
        exclude: files to leave out, each as its class folder and name ("CT_COVID/a.png").
        official_lists: heed the training and validation lists where there are any; a test list
            always is.
        one_class: do with one of the two folders where the other is missing.

    Raises:
        DatasetError: the folder is missing, has another layout or lacks a class.
    """
    root = Path(path)
    folders = {name: images_folder(root) / folder for name, folder in CLASS_FOLDERS.items()}
    missing = [folder.name for folder in folders.values() if not folder.is_dir()]
    if missing and not (one_class and len(missing) < len(folders)):
        raise DatasetError(
            N_(
                "{root} is not a data set: {folders} missing. Expected are two folders CT_COVID "
                "and CT_NonCOVID, directly or below Images-processed.",
                root=root,
                folders=_named(*missing),
            )
        )
    folders = {name: folder for name, folder in folders.items() if folder.name not in missing}
    patients, splits, exclude = read_patients(root), _read_splits(root), frozenset(exclude)
    items, skipped = [], []
    for class_name, folder in folders.items():
        files = files_below(folder)
        if not files:
            raise DatasetError(N_("The folder {folder} holds no files.", folder=folder.name))
        for file in files:
            name = file.relative_to(folder).as_posix()
            key = (class_name, name)
            split = splits.pop(key, None)
            if split != "test" and not official_lists:
                split = None
            if f"{folder.name}/{name}" in exclude:
                skipped.append(Skipped(file, EXCLUDED_BY_CHOICE))
                continue
            if class_name == "NonCOVID" and _is_known_mislabelled(file):
                skipped.append(Skipped(file, N_("Known to be labelled wrongly in COVID-CT.")))
                continue
            patient = patients.get(key) or name.rpartition("/")[0] or group_by_name(name)
            label = int(class_name == "COVID")
            items.append(Item(file, label, f"{class_name}/{patient}", split))
    skipped += [
        Skipped(folders[class_name] / name, N_("Named in the official lists, but missing."))
        for class_name, name in splits
    ]
    return Index(root, tuple(items), tuple(skipped))


def files_below(folder: Path) -> list[Path]:
    """The files of a class folder and of the folders in it, without what systems leave there."""
    found = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in found if not is_junk(file.relative_to(folder)))


def _is_known_mislabelled(file: Path) -> bool:
    return sha256_of(file) in _KNOWN_MISLABELLED


def images_folder(root: Path) -> Path:
    """Where the class folders of a data set lie."""
    images = root / "Images-processed"
    return images if images.is_dir() else root


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
    return {(row["class"], row["file"]): row["patient"] for row in rows}


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


def _read_splits(root: Path) -> dict[tuple[str, str], str]:
    splits: dict[tuple[str, str], str] = {}
    for class_name in CLASS_FOLDERS:
        for split in SPLITS:
            listing = root / "Data-split" / class_name / f"{split}CT_{class_name}.txt"
            if listing.exists():
                names = _text_of(listing).splitlines()
                splits |= {(class_name, name.strip()): split for name in names if name.strip()}
    return splits
