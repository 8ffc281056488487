"""A data report as lines for a person and as JSON for a script."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from covidct.data.check import DataReport
from covidct.data.corrections import told
from covidct.data.index import UNLABELLED_FOLDER, Item, Skipped
from covidct.terminal import visible

_MOST_LINES = 10


def as_text(report: DataReport) -> str:
    """What a person reads in half a minute; long lists end with how many more there are."""
    lines = [
        *_counts(report),
        *_corrections(report),
        *_files("cannot be read", report.unreadable),
        *_files("do not look like lung slices", report.outside_use),
        *_files("left out", report.left_out),
        *_groups("the same picture", report.duplicates),
        *_groups("nearly the same picture", report.near_duplicates),
        *_groups("one picture under two labels", report.contradictions),
        *_leaks(report),
        report.shortcut.sentence,
        *([report.shortcut_of_others.sentence] if report.shortcut_of_others else []),
    ]
    return "\n".join(map(visible, lines))


def as_json(report: DataReport) -> dict[str, Any]:
    """The whole report; items by their class folder and file name."""
    shortcuts = {"shortcut": report.shortcut, "shortcut_of_others": report.shortcut_of_others}
    return {
        "counts": [
            {"split": c.split, "class": c.class_name, "slices": c.slices, "patients": c.patients}
            for c in report.counts
        ],
        "official_lists": report.official_lists,
        "patients_known": report.patients_known,
        "corrections": report.corrections,
        "unlabelled": report.unlabelled,
        "unreadable": [_skipped(skip) for skip in report.unreadable],
        "outside_use": [_skipped(skip) for skip in report.outside_use],
        "left_out": [_skipped(skip) for skip in report.left_out],
        "duplicates": [_names(group) for group in report.duplicates],
        "near_duplicates": [_names(group) for group in report.near_duplicates],
        "contradictions": [_names(group) for group in report.contradictions],
        "leaks": [
            {"sentence": leak.sentence, "files": _names(leak.items)} for leak in report.leaks
        ],
        "exclusions": list(report.exclusions),
        **{name: asdict(shortcut) for name, shortcut in shortcuts.items() if shortcut},
    }


def _counts(report: DataReport) -> Iterable[str]:
    lists = "the official lists" if report.official_lists else "patients, by chance"
    yield f"Split by {lists}:"
    width = max(len(c.class_name) for c in report.counts)
    for c in report.counts:
        yield (
            f"  {c.split:10s} {c.class_name:{width}s} {c.slices:5d} slices of {c.patients} patients"
        )
    if not report.patients_known:
        yield "  Patients are guessed from file names, since no patients.csv names them all."


def _corrections(report: DataReport) -> Iterable[str]:
    if report.corrections:
        yield told(report.corrections)
    if report.unlabelled:
        yield f"{report.unlabelled} files in {UNLABELLED_FOLDER} that nobody has labelled yet"


def _files(title: str, skipped: Sequence[Skipped]) -> Iterable[str]:
    yield f"{len(skipped)} files {title}"
    yield from _cut([f"  {s.path.parent.name}/{s.path.name}: {s.reason}" for s in skipped])


def _groups(title: str, groups: Sequence[tuple[Item, ...]]) -> Iterable[str]:
    yield f"{len(groups)} groups of {title}"
    yield from _cut([f"  {', '.join(_names(group))}" for group in groups])


def _leaks(report: DataReport) -> Iterable[str]:
    if not report.leaks:
        yield "No leak between training and validation was found."
    else:
        yield f"{len(report.leaks)} leaks between training and validation"
        yield from _cut([f"  {k.sentence} {', '.join(_names(k.items))}" for k in report.leaks])
    if report.exclusions:
        yield f"Without these {len(report.exclusions)} files no leak or contradiction is left:"
        yield from _cut([f"  {name}" for name in report.exclusions])


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], f"  and {more} more"] if more > 0 else lines


def _names(items: Iterable[Item]) -> list[str]:
    return [item.name for item in items]


def _skipped(skip: Skipped) -> dict[str, str]:
    return {"file": f"{skip.path.parent.name}/{skip.path.name}", "reason": skip.reason}
