"""What a data check found, as a person reads it in half a minute; no Streamlit here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from covidct.data import corrections
from covidct.messages import N_, Message, joined, ngettext
from covidct.ui.training.words import patients, slices

if TYPE_CHECKING:
    from covidct.data.check import DataReport
    from covidct.data.index import Item, Skipped

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
        *_shortcuts(report),
        *_corrections(report),
    )


def blocks_start(report: DataReport) -> bool:
    """Whether a run may only start without the slices that the report would leave out."""
    return bool(report.leaks or report.contradictions)


def _leaks(report: DataReport) -> Finding:
    if not report.leaks:
        return Finding(GOOD, N_("No picture and no known patient crosses training and validation."))
    lines = tuple(joined(leak.sentence, _names(leak.items)) for leak in report.leaks)
    return Finding(
        BAD,
        ngettext(
            "{count:,} leak between training and validation: figures would flatter.",
            "{count:,} leaks between training and validation: figures would flatter.",
            len(lines),
        ),
        lines,
    )


def _contradictions(report: DataReport) -> Finding:
    groups = report.contradictions
    if not groups:
        return Finding(GOOD, N_("No picture stands under two labels."))
    return Finding(
        BAD,
        ngettext(
            "{count:,} picture under two labels: one of them must be wrong.",
            "{count:,} pictures under two labels: one of them must be wrong.",
            len(groups),
        ),
        tuple(_names(group, with_class=True) for group in groups),
    )


def _duplicates(report: DataReport) -> Finding:
    same, nearly = report.duplicates, report.near_duplicates
    if not same and not nearly:
        return Finding(GOOD, N_("No picture is there twice."))
    alike = ngettext(
        "{count:,} picture more than once", "{count:,} pictures more than once", len(same)
    )
    nearly_alike = ngettext(
        "{count:,} group of nearly the same picture",
        "{count:,} groups of nearly the same picture",
        len(nearly),
    )
    both = N_("{alike} and {nearly_alike}", alike=alike, nearly_alike=nearly_alike)
    found = both if same and nearly else alike if same else nearly_alike
    return Finding(
        NOTE,
        N_("{found}: they count more than others.", found=found),
        tuple(_names(group) for group in (*same, *nearly)),
    )


def _unused(report: DataReport) -> Finding:
    files = (*report.unreadable, *report.left_out)
    if not files:
        return Finding(GOOD, N_("Every file can be used."))
    return Finding(
        NOTE,
        ngettext(
            "{count:,} file will not be used.", "{count:,} files will not be used.", len(files)
        ),
        tuple(map(_line, files)),
    )


def _outside_use(report: DataReport) -> Finding:
    files = report.outside_use
    if not files:
        return Finding(GOOD, N_("Every picture looks like a lung slice."))
    return Finding(
        NOTE,
        ngettext(
            "{count:,} picture may be no lung slice; used anyway.",
            "{count:,} pictures may be no lung slice; used anyway.",
            len(files),
        ),
        tuple(map(_line, files)),
    )


def _patients(report: DataReport) -> Finding:
    if report.patients_known:
        return Finding(GOOD, N_("The patient of every slice is known."))
    return Finding(
        NOTE,
        N_(
            "Patients are not known: neighbours in a series of file names are taken for one "
            "patient."
        ),
    )


def _shortcuts(report: DataReport) -> Iterable[Finding]:
    for shortcut in filter(None, (report.shortcut, report.shortcut_of_others)):
        is_good = shortcut.auc is not None and not shortcut.is_warning
        yield Finding(GOOD if is_good else NOTE, shortcut.sentence)


def _corrections(report: DataReport) -> Iterable[Finding]:
    if told := corrections.told(report.corrections):
        yield Finding(NOTE, told)
    if report.unlabelled:
        unlabelled = ngettext(
            "{count:,} slice has no label yet and is not used.",
            "{count:,} slices have no label yet and are not used.",
            report.unlabelled,
        )
        yield Finding(NOTE, unlabelled)


def _line(skipped: Skipped) -> Message:
    return N_("{file}: {reason}", file=skipped.path.name, reason=skipped.reason)


def _names(items: Iterable[Item], with_class: bool = False) -> str:
    return " = ".join(
        f"{item.path.name} ({item.class_name})" if with_class else item.path.name for item in items
    )


def table(report: DataReport) -> tuple[Sequence[str], list[tuple[str, dict[str, str]]]]:
    """Slices and patients by split and class.

    Returns:
        The splits, and for each class the words by split.
    """
    classes = dict.fromkeys(entry.class_name for entry in report.counts)
    splits = list(dict.fromkeys(entry.split for entry in report.counts))
    cells = {
        (entry.split, entry.class_name): (
            N_(
                "{slices} of {patients}",
                slices=slices(entry.slices),
                patients=patients(entry.patients),
            )
        )
        for entry in report.counts
    }
    return splits, [
        (name, {split: cells.get((split, name), N_("none")) for split in splits})
        for name in classes
    ]
