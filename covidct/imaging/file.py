"""A file that may hold a slice, by its name and with bytes that are read late."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from covidct.errors import UnreadableSlice
from covidct.imaging.formats.pixels import MAX_BYTES
from covidct.messages import N_


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """A file that may hold a slice.

    Attributes:
        name: what the user calls it; shown and never computed with.
        read: gives its bytes, or raises UnreadableSlice.
        refusal: why it is never opened, as an archive or a link in an archive is not; else empty.
    """

    name: str
    read: Callable[[], bytes]
    refusal: str = ""


def load(path: str | os.PathLike[str]) -> bytes:
    """At most `MAX_BYTES` and one byte of a file; errors never tell its name.

    Raises:
        UnreadableSlice: it is a folder, or cannot be opened.
    """
    try:
        if Path(path).is_dir():
            raise UnreadableSlice(N_("This is a folder, not a file."))
        if not Path(path).is_file():
            raise UnreadableSlice(N_("There is no such file."))
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or N_("its name is not valid")
        raise UnreadableSlice(N_("The file cannot be opened: {reason}.", reason=reason)) from None


def refused(name: str, reason: str) -> File:
    """A file that is never opened, for a reason."""
    return File(name, partial(_refuse, reason), reason)


def unreadable(name: str, reason: str) -> File:
    """A file that was opened in vain, for a reason that reading it gives."""
    return File(name, partial(_refuse, reason))


def _refuse(reason: str) -> NoReturn:
    raise UnreadableSlice(reason)
