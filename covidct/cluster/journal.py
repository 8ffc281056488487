"""Journal: the rows that were judged so far, in a small file, so that a run can go on.

A row is found by where its slice lies, which model judged it and how, and holds as long as the
file has the same content. Names of files are in it as hashes alone.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from covidct.errors import ConfigError
from covidct.messages import N_

_TABLE = "CREATE TABLE IF NOT EXISTS rows (slice TEXT PRIMARY KEY, content TEXT, row TEXT)"
_WAIT = 60  # seconds for another run that writes to it


class Entry(NamedTuple):
    """A row of the journal.

    Attributes:
        slice: as :func:`slice_key` makes it.
        content: SHA-256 of the file.
        row: as :mod:`covidct.cluster.rows` has it.
    """

    slice: str
    content: str
    row: str


def slice_key(path: str, frame: int | None, *judged_by: str) -> str:
    """What a slice is found by.

    Args:
        path: of its file, within archives where it is in one.
        frame: its number in a file of several frames.
        judged_by: what else a verdict depends on.
    """
    parts = (str(Path(path).absolute()), str(frame), *judged_by)
    return hashlib.sha256(b"\0".join(map(os.fsencode, parts))).hexdigest()


class Journal:
    """The file, an SQLite database; what was added stays whatever ends this process.

    Args:
        path: made if needed.

    Raises:
        ConfigError: by this and by each method: it cannot be read or written, or is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            self._rows = sqlite3.connect(path, timeout=_WAIT)
            with self._rows:
                self._rows.execute(_TABLE)

    def content(self, key: str) -> str:
        """The content for which there is a row; empty where there is none."""
        return self._value("content", key)

    def row(self, key: str) -> str:
        """The row; empty where there is none."""
        return self._value("row", key)

    def add(self, entries: Iterable[Entry]) -> None:
        """Add rows, or replace those of another content, all at once."""
        with self._errors(), self._rows:
            self._rows.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", entries)

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def _value(self, column: str, key: str) -> str:
        with self._errors():
            query = f"SELECT {column} FROM rows WHERE slice = ?"
            found = self._rows.execute(query, (key,)).fetchone()
        return found[0] if found else ""

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ConfigError(
                N_(
                    "The journal {path} cannot be used: {reason}. It is left as it is; name "
                    "another file.",
                    path=self._path,
                    reason=str(error),
                )
            ) from error
