"""A lock that a process holds for as long as it lives, and may be handed by who launched it.

The lock belongs to an open descriptor, which a child process can inherit.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from filelock import lock_descriptor

_ENDING_FOR = 20  # seconds that a process may take to close down after its last word


def take_lock(file: Path, is_live: Callable[[], bool]) -> int | None:
    """The descriptor of a lock that only one process may hold.

    Args:
        file: made where it is missing, with its folder.
        is_live: whether a process at work is known, which need not be waited for.

    Returns:
        None where another process holds it, and is not just closing down.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    give_up = time.monotonic() + _ENDING_FOR
    while not lock_descriptor(lock, blocking=False):
        if is_live() or time.monotonic() > give_up:
            os.close(lock)
            return None
        time.sleep(0.1)
    return lock
