"""Labels that people corrected: a small table beside a data set, whose own files stay as they are.

A row is what somebody decided on one slice, which is known by its content: a copy of the same file
is corrected too, and a slice that was moved or renamed still is. The last row on a slice counts, so
that a correction is undone by another row, and the table tells who decided what and when.

Rows are written to ``COVIDCT_HOME/corrections``, as a data set may be read-only. A data set can
bring some along: the same table as ``corrections.csv`` in its folder, which rows of here overrule.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from filelock import FileLock

from covidct.data.classes import is_class_name
from covidct.errors import DatasetError
from covidct.files import NAMES, replace_bytes, sha256_of
from covidct.home import home
from covidct.jobs import action_log
from covidct.messages import N_, Message, joined, ngettext
from covidct.spreadsheets import read_table, write_table

CORRECTIONS_FILE = "corrections.csv"
LEFT_OUT, SECOND_LOOK, AS_FILED = "left out", "second look", "as filed"
DECISIONS = (LEFT_OUT, SECOND_LOOK, AS_FILED)  # or a class

_LOCK = ".lock"
_LONGEST = 16 * 1024**2  # bytes; more than fifty thousand corrections need
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNFIT_FOR_NAMES = re.compile(r"[^\w-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody decided on a slice.

    Attributes:
        sha256: of its file, hexadecimal.
        decision: the class that it is of from now on, as "COVID" or "NonCOVID"; "left out";
            "second look", which marks it and changes nothing; or "as filed", which undoes what was
            decided before.
        file: where it lay then, below the data set's folder: "CT_COVID/a.png".
        at: when, in ISO 8601.
        by: who, where people sign in; else empty.
    """

    sha256: str
    decision: str
    file: str
    at: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A slice of a data set to which a correction applies.

    Attributes:
        path: the file.
        filed: the class for which its folder stands, as "COVID", "NonCOVID" or "Unlabelled".
        correction: the last one.
    """

    path: Path
    filed: str
    correction: Correction


_COLUMNS = tuple(field.name for field in fields(Correction))


def corrections_table(data: Path) -> Path:
    """The table of this machine's corrections of a data set folder; not created."""
    root = data.resolve()
    digest = hashlib.sha256(str(root).encode(errors="surrogateescape")).hexdigest()
    name = _UNFIT_FOR_NAMES.sub("-", root.name)[:40]
    return home() / "corrections" / f"{name}-{digest[:12]}.csv"


def read_corrections(data: Path) -> tuple[Correction, ...]:
    """The corrections of a data set that are in force, at most one for each content.

    Raises:
        DatasetError: a table of them is none.
    """
    tables = data / CORRECTIONS_FILE, corrections_table(data)
    return in_force(row for table in tables for row in read_rows(table))


def in_force(rows: Iterable[Correction]) -> tuple[Correction, ...]:
    """The last row on each content, but for what was undone."""
    last = {row.sha256: row for row in rows}
    return tuple(row for row in last.values() if row.decision != AS_FILED)


def read_rows(table: Path) -> tuple[Correction, ...]:
    """All rows of a table, in its order; none where there is no such file.

    Raises:
        DatasetError: the file is no such table.
    """
    if not table.is_file():
        return ()
    if table.stat().st_size > _LONGEST:
        raise DatasetError(
            N_("{file} is longer than the list of a data set can be.", file=table.name)
        )
    text = table.read_bytes().decode("utf-8-sig", NAMES["errors"])
    try:
        rows = tuple(read_table(StringIO(text, newline="")))
    except csv.Error as error:
        raise DatasetError(_no_table(table)) from error
    if rows and not set(_COLUMNS) <= rows[0].keys():
        raise DatasetError(_no_table(table))
    return tuple(_correction(row, number, table) for number, row in enumerate(rows, 1))


def correct(data: Path, path: Path, decision: str, by: str = "") -> None:
    """Write down what somebody decided on a slice.

    Args:
        data: the data set folder.
        path: the slice, below it.
        decision: a class, or one of :data:`DECISIONS`.
        by: who decided.

    Raises:
        DatasetError: the slice is gone, or the table of corrections cannot be read.
        OSError: the table cannot be written; it is as it was before.
    """
    if not _is_decision(decision):
        raise ValueError(f"no decision on a slice: {decision}")
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise DatasetError(N_("The slice cannot be read any more; nothing was changed.")) from error
    file = path.relative_to(data).as_posix() if path.is_relative_to(data) else path.name
    _add(data, [Correction(digest, decision, file, _now(), by)])
    action_log.record(N_("Corrected a label"), data.name)


def undo_all(data: Path, by: str = "") -> None:
    """Undo every correction of a data set; the table still tells of them.

    Raises:
        DatasetError: a table of corrections cannot be read.
        OSError: the table cannot be written; it is as it was before.
    """
    now = _now()
    undone = [Correction(c.sha256, AS_FILED, c.file, now, by) for c in read_corrections(data)]
    _add(data, undone)
    action_log.record(N_("Undid all corrections of labels"), data.name)


def forget(data: Path) -> None:
    """Remove the table of a data set that is being deleted."""
    table = corrections_table(data)
    for file in (table, table.with_suffix(_LOCK)):
        file.unlink(missing_ok=True)


def as_csv(rows: Iterable[Correction]) -> bytes:
    """A table, to be kept or to be put beside the data as ``corrections.csv``."""
    out = StringIO(newline="")
    write_table(out, _COLUMNS, map(astuple, rows))
    return out.getvalue().encode(**NAMES)


def count(corrected: Iterable[Corrected], unmatched: int = 0) -> dict[str, int]:
    """How many slices were corrected, by what became of them; a label for which the folder stands
    changes nothing and is not counted.

    Args:
        corrected: slices to which a correction applies.
        unmatched: how many corrections belong to no slice that is here.

    Returns:
        "relabelled", "labelled", "left out", "second look" and "unmatched", where there are any.
    """
    counted = Counter(filter(None, map(_kind, corrected)))
    return dict(counted) | ({_UNMATCHED: unmatched} if unmatched else {})


def told(counts: Mapping[str, int]) -> str:
    """What :func:`count` counted, in a sentence or two; empty where there is nothing to tell."""
    parts = [
        Message(template, number=counts[kind])
        for kind, template in _KINDS.items()
        if counts.get(kind)
    ]
    sentences = []
    if parts:
        applied = ngettext(
            "Corrections of labels were applied to {count:,} slice: {parts}.",
            "Corrections of labels were applied to {count:,} slices: {parts}.",
            sum(counts.get(kind, 0) for kind in _KINDS),
            parts=joined(*parts, by=", "),
        )
        sentences.append(applied)
    if unmatched := counts.get(_UNMATCHED):
        sentences.append(
            ngettext(
                "{count:,} correction belongs to no slice that is here.",
                "{count:,} corrections belong to no slice that is here.",
                unmatched,
            )
        )
    return joined(*sentences)


_UNMATCHED = "unmatched"
_KINDS = {
    "relabelled": N_("{number:,} relabelled"),
    "labelled": N_("{number:,} labelled for the first time"),
    LEFT_OUT: N_("{number:,} left out"),
    SECOND_LOOK: N_("{number:,} marked for a second look and used as filed"),
}


def _kind(one: Corrected) -> str:
    """A key of the above; empty where the decision confirms the folder."""
    decision = one.correction.decision
    if not is_class_name(decision):
        return decision
    if not is_class_name(one.filed):
        return "labelled"
    return "relabelled" if decision != one.filed else ""


def _correction(row: dict[str, str], number: int, table: Path) -> Correction:
    one = Correction(*(row[name] or "" for name in _COLUMNS))
    if not _SHA256.fullmatch(one.sha256) or not _is_decision(one.decision):
        raise DatasetError(
            N_(
                "Row {number} of {file} is no correction: it needs a SHA-256 and a class or one of "
                "the decisions {decisions}. Mend or remove it; nothing was corrected.",
                number=number,
                file=table.name,
                decisions=", ".join(DECISIONS),
            )
        )
    return one


def _is_decision(text: str) -> bool:
    return text in DECISIONS or is_class_name(text)


def _no_table(table: Path) -> Message:
    return N_(
        "{file} must have the columns {columns}, divided by commas.",
        file=table.name,
        columns=", ".join(_COLUMNS),
    )


def _add(data: Path, rows: Sequence[Correction]) -> None:
    table = corrections_table(data)
    table.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(table.with_suffix(_LOCK)):
        replace_bytes(table, as_csv((*read_rows(table), *rows)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
