"""A sign of life for other hosts, which cannot look up a process of this one.

The process at work sets the time of its ``status.json`` anew, whatever else it is busy with.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

from covidct.jobs.status import STATUS_FILE

_EVERY = 10  # seconds


@contextlib.contextmanager
def sign_of_life(folder: Path) -> Iterator[None]:
    """Give it every ten seconds until the end of the block.

    Args:
        folder: of the job whose process this is.
    """
    ended = Event()
    Thread(target=_give, args=(folder / STATUS_FILE, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _give(file: Path, ended: Event) -> None:
    while not ended.wait(_EVERY):
        with contextlib.suppress(OSError):  # a shared folder may be out of reach for a while
            os.utime(file)
