"""What is wrong with a data set, found before anything is trained on it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path

import numpy as np

from covidct.data.file_attributes import (
    FileAttributes,
    Shortcut,
    file_attributes,
    measure_shortcut,
    measure_shortcut_of_others,
)
from covidct.data.index import UNLABELLED_FOLDER, Item, Skipped, read_index, read_patients
from covidct.data.near_duplicates import connected, fingerprint, near_pairs
from covidct.data.splits import split_for_training
from covidct.errors import DatasetError, UnreadableSlice
from covidct.imaging.anatomy.gate import gate
from covidct.imaging.file import load
from covidct.imaging.readers import read_slice
from covidct.messages import N_, Message, joined

TRAINING, VALIDATION, SET_ASIDE = N_("training"), N_("validation"), N_("set aside")

_SAMPLES = 4
_LOOKS = 8192  # slices that are kept in mind between two checks, at half a kilobyte each


@dataclass(frozen=True, slots=True)
class Count:
    """Readable slices and patients of a class in a split."""

    split: str
    class_name: str
    slices: int
    patients: int


@dataclass(frozen=True, slots=True)
class Leak:
    """What the network could know of the validation slices from training, and where."""

    sentence: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class DataReport:
    """What :func:`check_dataset` found.

    Attributes:
        counts: for "training" and "validation" of each class, and "set aside" (the official test
            list, or files in no list) where there are such.
        unreadable: files that are no slices, and why.
        outside_use: slices that the gate would refuse as no lung slices, and why. They stay in use:
            a data set is not gated, since a label was given to each by a person.
        left_out: files left out for another reason: known to be mislabelled, named in a list but
            missing, excluded by choice or by a correction of labels.
        duplicates: groups of the same picture, pixel by pixel.
        near_duplicates: groups of nearly the same picture, or of neighbouring slices.
        contradictions: groups of the same or nearly the same picture in different classes.
        leaks: pictures or patients on both sides of training and validation.
        exclusions: files ("CT_COVID/a.png") without which no leak and no contradiction is left.
        shortcut: what file format and size alone predict.
        shortcut_of_others: what they tell of the classes without COVID-19; None where there is
            only one.
        samples: a few slices of each class.
        official_lists: whether training and validation are those of the official lists.
        patients_known: whether ``patients.csv`` names the patient of every slice; otherwise
            neighbours in a series of names are taken for one patient.
        unlabelled: how many files nobody has labelled yet.
        corrections: how many of labels were applied, as :func:`.corrections.count` counts them.
    """

    counts: tuple[Count, ...]
    unreadable: tuple[Skipped, ...]
    outside_use: tuple[Skipped, ...]
    left_out: tuple[Skipped, ...]
    duplicates: tuple[tuple[Item, ...], ...]
    near_duplicates: tuple[tuple[Item, ...], ...]
    contradictions: tuple[tuple[Item, ...], ...]
    leaks: tuple[Leak, ...]
    exclusions: tuple[str, ...]
    shortcut: Shortcut
    shortcut_of_others: Shortcut | None
    samples: tuple[Item, ...]
    official_lists: bool
    patients_known: bool
    unlabelled: int
    corrections: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What is kept of one readable slice.

    Attributes:
        refusal: why the gate would refuse it; empty where it would not.
        attributes: of the file.
        digest: of the pixels.
        fingerprint: as :func:`.fingerprint` makes it.
    """

    refusal: str
    attributes: FileAttributes
    digest: str
    fingerprint: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What is kept of the readable slices, in the order of ``items``."""

    items: tuple[Item, ...]
    unreadable: tuple[Skipped, ...]
    outside_use: tuple[Skipped, ...]
    attributes: tuple[FileAttributes, ...]
    digests: tuple[str, ...]
    fingerprints: np.ndarray


def check_dataset(
    path: str | PathLike,
    validation_share: float = 0.2,
    seed: int = 0,
    progress: Callable[[Iterable[Item]], Iterable[Item]] = iter,
    exclude: Iterable[str] = (),
    *,
    official_lists: bool = True,
) -> DataReport:
    """Look for what would make a training run worthless.

    A leak is a patient, or nearly the same picture, on both sides of the official lists. Where
    there are no such lists, it is nearly the same picture under different patients: then some
    seed puts them on both sides, so what is reported holds for every seed and share.

    Exclusions drop both sides of a contradiction, and of a leak as few slices as will do: never
    from validation or the test list where there are official ones, only from training.

    Args:
        path: a data set folder.
        validation_share: as it will be trained with, where there are no official lists.
        seed: as it will be trained with.
        progress: wraps the reading of the slices, to show how far it is.
        exclude: files that are left out already, as in :func:`read_index`.
        official_lists: as it will be trained with.

    Raises:
        DatasetError: the folder is no data set, or cannot be split.
    """
    index = read_index(path, tuple(exclude), official_lists=official_lists)
    seen = _look_at(progress(index.items))
    if {item.label for item in seen.items} != {0, 1}:
        if index.unlabelled:
            raise DatasetError(
                N_(
                    "Slices of both classes are needed. Label some of each of those in {folder}.",
                    folder=UNLABELLED_FOLDER,
                )
            )
        raise DatasetError(
            N_(
                "Slices of both classes are needed; {read} files could be read and {unreadable} "
                "could not.",
                read=len(seen.items),
                unreadable=len(seen.unreadable),
            )
        )
    training, validation = split_for_training(index, validation_share, seed)
    split_of = {i.path: TRAINING for i in training} | {i.path: VALIDATION for i in validation}
    official = {"train", "val"} <= index.splits
    known = read_patients(index.root)
    pairs = near_pairs(seen.fingerprints)
    opposed = [(a, b) for a, b in pairs if seen.items[a].class_name != seen.items[b].class_name]
    sides = [_side(item, split_of.get(item.path, SET_ASIDE), official) for item in seen.items]
    crossing = [(a, b) for a, b in pairs if sides[a] and sides[b] and sides[a] != sides[b]]
    torn = _torn_patients(seen.items, sides, known) if official else ()
    return DataReport(
        counts=_counts(seen.items, split_of, index.classes),
        unreadable=seen.unreadable,
        outside_use=seen.outside_use,
        left_out=index.skipped,
        duplicates=_groups(_same_digest(seen.digests), seen.items),
        near_duplicates=_groups(_not_only_same(connected(pairs), seen.digests), seen.items),
        contradictions=_groups(connected(opposed), seen.items),
        leaks=(
            *_picture_leaks(connected(crossing), seen.items, split_of, official),
            *_patient_leaks(torn, seen.items, split_of),
        ),
        exclusions=_exclusions(seen.items, sides, opposed, crossing, torn),
        shortcut=measure_shortcut(seen.items, seen.attributes, seed),
        shortcut_of_others=measure_shortcut_of_others(seen.items, seen.attributes, seed),
        samples=_samples(seen.items, index.classes),
        official_lists=official,
        patients_known=all(item.filed in known for item in index.items),
        unlabelled=len(index.unlabelled),
        corrections=index.corrections,
    )


def _look_at(items: Iterable[Item]) -> _Seen:
    """Read every file once and keep what the checks need, no pixels."""
    read, unreadable, outside_use, looks = [], [], [], []
    for item in items:
        try:
            look = _look(item.path, _stamp(item.path))
        except UnreadableSlice as error:
            unreadable.append(Skipped(item.path, error.message))
            continue
        read.append(item)
        looks.append(look)
        if look.refusal:
            outside_use.append(Skipped(item.path, look.refusal))
    fingerprints = [look.fingerprint for look in looks]
    return _Seen(
        tuple(read),
        tuple(unreadable),
        tuple(outside_use),
        tuple(look.attributes for look in looks),
        tuple(look.digest for look in looks),
        np.stack(fingerprints) if fingerprints else np.empty((0, 32), np.uint8),
    )


@lru_cache(maxsize=_LOOKS)
def _look(path: Path, stamp: tuple[int, ...]) -> _Look:
    """What a file shows, kept as long as it is the same file, whatever its label becomes.

    Raises:
        UnreadableSlice: it cannot be read.
    """
    data = load(path)
    ct_slice = read_slice(data)
    verdict = gate(ct_slice)
    shape = str(ct_slice.pixels.shape).encode()
    return _Look(
        "" if verdict.accepted else verdict.reason,
        file_attributes(data, ct_slice),
        hashlib.sha256(shape + ct_slice.pixels.tobytes()).hexdigest(),
        fingerprint(ct_slice),
    )


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes when a file does; empty where there is none any more."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _side(item: Item, split: str, official: bool) -> str:
    """What must not share a picture with another such: a side of the lists, or a patient."""
    if item.split == "test" or (official and split == VALIDATION):
        return "held out"
    if official:
        return TRAINING if split == TRAINING else ""
    return item.patient


def _torn_patients(
    items: Sequence[Item], sides: Sequence[str], known: Mapping[tuple[str, str], str]
) -> tuple[tuple[int, ...], ...]:
    """Positions of each patient who is named by the table and stands on both sides."""
    slices = defaultdict(list)
    for i, item in enumerate(items):
        if sides[i] and item.filed in known:
            slices[item.patient].append(i)
    return tuple(tuple(those) for those in slices.values() if len({sides[i] for i in those}) > 1)


def _exclusions(
    items: Sequence[Item],
    sides: Sequence[str],
    opposed: Sequence[tuple[int, int]],
    crossing: Sequence[tuple[int, int]],
    torn: Sequence[tuple[int, ...]],
) -> tuple[str, ...]:
    """Every slice of a contradiction, training slices of torn patients, then the fewest others.

    The others are found greedily: the slice with the most crossing pairs goes first.
    """
    dropped = {i for pair in opposed for i in pair}
    dropped |= {i for those in torn for i in those if sides[i] == TRAINING}
    while left := [pair for pair in crossing if not dropped & set(pair)]:
        counted = Counter(i for pair in left for i in pair if sides[i] != "held out")
        dropped.add(max(counted, key=lambda i: (counted[i], i)))
    return tuple(items[i].name for i in sorted(dropped))


def _picture_leaks(
    groups: Iterable[tuple[int, ...]],
    items: Sequence[Item],
    split_of: Mapping[Path, str],
    official: bool,
) -> Iterable[Leak]:
    for group in groups:
        members = tuple(items[i] for i in group)
        if official:
            sentence = N_(
                "The same or nearly the same picture: {where}.", where=_by_split(members, split_of)
            )
        else:
            patients = len({item.patient for item in members})
            sentence = N_(
                "The same or nearly the same picture filed as {patients} patients: a split can put "
                "it on both sides.",
                patients=patients,
            )
        yield Leak(sentence, members)


def _patient_leaks(
    torn: Iterable[tuple[int, ...]], items: Sequence[Item], split_of: Mapping[Path, str]
) -> Iterable[Leak]:
    for group in torn:
        members = tuple(items[i] for i in group)
        sentence = N_(
            "One patient, {patient}: {where}.",
            patient=members[0].patient,
            where=_by_split(members, split_of),
        )
        yield Leak(sentence, members)


def _by_split(items: Iterable[Item], split_of: Mapping[Path, str]) -> Message:
    """ "2 in training, 1 in validation"."""
    counted = Counter(split_of.get(item.path, SET_ASIDE) for item in items)
    parts = {
        TRAINING: N_("{slices} in training", slices=counted[TRAINING]),
        VALIDATION: N_("{slices} in validation", slices=counted[VALIDATION]),
        SET_ASIDE: N_("{slices} set aside", slices=counted[SET_ASIDE]),
    }
    return joined(*(part for split, part in parts.items() if counted[split]), by=", ")


def _counts(
    items: Sequence[Item], split_of: Mapping[Path, str], classes: Sequence[str]
) -> tuple[Count, ...]:
    counts = []
    for split in (TRAINING, VALIDATION, SET_ASIDE):
        inside = [item for item in items if split_of.get(item.path, SET_ASIDE) == split]
        for name in classes if inside or split != SET_ASIDE else ():
            patients = [item.patient for item in inside if item.class_name == name]
            counts.append(Count(split, name, len(patients), len(set(patients))))
    return tuple(counts)


def _same_digest(digests: Sequence[str]) -> list[tuple[int, ...]]:
    positions = defaultdict(list)
    for i, digest in enumerate(digests):
        positions[digest].append(i)
    return [tuple(those) for those in positions.values() if len(those) > 1]


def _not_only_same(
    groups: Iterable[tuple[int, ...]], digests: Sequence[str]
) -> list[tuple[int, ...]]:
    return [group for group in groups if len({digests[i] for i in group}) > 1]


def _groups(
    groups: Iterable[tuple[int, ...]], items: Sequence[Item]
) -> tuple[tuple[Item, ...], ...]:
    return tuple(tuple(items[i] for i in group) for group in groups)


def _samples(items: Sequence[Item], classes: Sequence[str]) -> tuple[Item, ...]:
    """A few of each class, from all over its folder."""
    chosen = []
    for name in classes:
        those = [item for item in items if item.class_name == name]
        places = np.linspace(0, len(those) - 1, min(_SAMPLES, len(those))).astype(int)
        chosen += [those[i] for i in places]
    return tuple(chosen)
