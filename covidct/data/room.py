"""Room for data sets on the disk."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from covidct.errors import DatasetError
from covidct.home import home
from covidct.messages import N_
from covidct.quota import DATA, MEGABYTE

_LOCK_FILE = ".room for data.lock"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Room for what is written in the block. Whoever else asks for room waits for its end, so that
    no two are given the same.

    Args:
        size: bytes of it.

    Raises:
        DatasetError: there is no room for it.
    """
    home().mkdir(parents=True, exist_ok=True)
    with FileLock(home() / _LOCK_FILE):
        require_room(size)
        yield


@contextmanager
def reserved(size: int, stand_in: Path) -> Iterator[None]:
    """The same for what takes too long for others to wait.

    Args:
        size: bytes of it.
        stand_in: a file among data sets that counts as so many bytes until the end of the block,
            and takes none of the disk.

    Raises:
        DatasetError: there is no room for it.
    """
    stand_in.unlink(missing_ok=True)
    with room_for(size), stand_in.open("wb") as empty:
        empty.truncate(size)
    try:
        yield
    finally:
        stand_in.unlink(missing_ok=True)


def require_room(size: int) -> None:
    """Refuse what is to be kept where data sets take all that they may of the disk.

    Args:
        size: bytes of it.

    Raises:
        DatasetError: there is no room for it.
    """
    taken, allowed = DATA.taken(), DATA.allowed()
    if taken + size > allowed:
        raise DatasetError(
            N_(
                "Data sets take {taken:,} MB of the disk and may take {allowed:,} MB, which leaves "
                "no room for {size:,} MB. Delete some on the Training page under “On this server”, "
                "or raise {variable}, which whoever runs the server can.",
                taken=taken // MEGABYTE,
                allowed=allowed // MEGABYTE,
                size=math.ceil(size / MEGABYTE),
                variable=DATA.variable,
            )
        )
