"""Texts of others in comma-separated tables, which spreadsheets would take for formulas.

Whoever makes a ZIP, a folder or a table of patients chooses the names in it. An apostrophe before a
text that begins as formulas do keeps it a text, and each field stands in quotes, or a line break in
one would begin the next (OWASP, "CSV Injection").
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

_APOSTROPHE = "'"
_MEANS_SOMETHING = ("=", "+", "-", "@", "\t", "\r", _APOSTROPHE)


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula; :func:`original` undoes it."""
    return f"{_APOSTROPHE}{text}" if text.startswith(_MEANS_SOMETHING) else text


def original(text: str) -> str:
    """What was given to :func:`harmless`."""
    return text.removeprefix(_APOSTROPHE)


def write_table(file: TextIO, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table whose texts are harmless; numbers stay numbers."""
    table = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    table.writerow(head)
    table.writerows([harmless(v) if isinstance(v, str) else v for v in row] for row in rows)


def read_table(file: Iterable[str]) -> Iterator[dict[str, str]]:
    """The rows of such a table, by the names in its head."""
    for row in csv.DictReader(file):
        yield {
            name: original(value) if isinstance(value, str) else value
            for name, value in row.items()
        }
