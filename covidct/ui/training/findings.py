"""What a data check found, as a person reads it in half a minute; no Streamlit here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from covidct.ui.training.words import count

if TYPE_CHECKING:
    from covidct.data.check import DataReport
    from covidct.data.index import Item

GOOD, NOTE, BAD = "good", "note", "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        tone: "good", "note" or "bad".
        title: the finding in a sentence.
        details: what it rests on, a line each; file names among them.
    """

    tone: str
    title: str
    details: tuple[str, ...] = ()


def findings(report: DataReport) -> tuple[Finding, ...]:
    """All of them, in the order in which they matter."""
    return (
        _leaks(report),
        _contradictions(report),
        _duplicates(report),
        _unused(report),
        _outside_use(report),
        _patients(report),
        _shortcut(report),
    )


def blocks_start(report: DataReport) -> bool:
    """Whether a run may only start without the slices that the report would leave out."""
    return bool(report.leaks or report.contradictions)


def _leaks(report: DataReport) -> Finding:
    if not report.leaks:
        return Finding(GOOD, "No picture and no known patient crosses training and validation.")
    lines = tuple(f"{leak.sentence} {_names(leak.items)}" for leak in report.leaks)
    return Finding(
        BAD,
        f"{count(len(lines), 'leak')} between training and validation: figures would flatter.",
        lines,
    )


def _contradictions(report: DataReport) -> Finding:
    groups = report.contradictions
    if not groups:
        return Finding(GOOD, "No picture stands under both labels.")
    return Finding(
        BAD,
        f"{count(len(groups), 'picture')} under both labels: one of them must be wrong.",
        tuple(_names(group, with_class=True) for group in groups),
    )


def _duplicates(report: DataReport) -> Finding:
    same, nearly = report.duplicates, report.near_duplicates
    if not same and not nearly:
        return Finding(GOOD, "No picture is there twice.")
    found = [f"{count(len(same), 'picture')} more than once"] if same else []
    if nearly:
        found.append(f"{count(len(nearly), 'group')} of nearly the same picture")
    return Finding(
        NOTE,
        f"{' and '.join(found)}: they count more than others.",
        tuple(_names(group) for group in (*same, *nearly)),
    )


def _unused(report: DataReport) -> Finding:
    files = (*report.unreadable, *report.left_out)
    if not files:
        return Finding(GOOD, "Every file can be used.")
    return Finding(
        NOTE,
        f"{count(len(files), 'file')} will not be used.",
        tuple(f"{skipped.path.name}: {skipped.reason}" for skipped in files),
    )


def _outside_use(report: DataReport) -> Finding:
    files = report.outside_use
    if not files:
        return Finding(GOOD, "Every picture looks like a lung slice.")
    return Finding(
        NOTE,
        f"{count(len(files), 'picture')} may be no lung slice; used anyway.",
        tuple(f"{skipped.path.name}: {skipped.reason}" for skipped in files),
    )


def _patients(report: DataReport) -> Finding:
    if report.patients_known:
        return Finding(GOOD, "The patient of every slice is known.")
    return Finding(
        NOTE,
        "Patients are not known: neighbours in a series of file names are taken for one patient.",
    )


def _shortcut(report: DataReport) -> Finding:
    tone = NOTE if report.shortcut.is_warning else GOOD
    return Finding(tone, report.shortcut.sentence)


def _names(items: Iterable[Item], with_class: bool = False) -> str:
    return " = ".join(
        f"{item.path.name} ({item.class_name})" if with_class else item.path.name for item in items
    )


def table(report: DataReport) -> tuple[Sequence[str], list[tuple[str, dict[str, str]]]]:
    """Slices and patients by split and class.

    Returns:
        Names of the classes, and for each split the words by class.
    """
    classes = list(dict.fromkeys(entry.class_name for entry in report.counts))
    splits = dict.fromkeys(entry.split for entry in report.counts)
    cells = {
        (entry.split, entry.class_name): (
            f"{count(entry.slices, 'slice')} of {count(entry.patients, 'patient')}"
        )
        for entry in report.counts
    }
    return classes, [
        (split, {name: cells.get((split, name), "none") for name in classes}) for split in splits
    ]
