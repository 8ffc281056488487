"""Processes as Linux knows them: which one is meant, whether it lives, how much memory it takes."""

import os
from pathlib import Path

_STATE, _STARTED = 0, 19  # fields of /proc/PID/stat, counted after the command's name
_MEGABYTE = 2**20


def process_identity(pid: int) -> str | None:
    """When a process was started, which tells it from a later one with the same number.

    Returns:
        Clock ticks since boot and the boot's own number, or None where there is no such process
        or it has ended and only waits to be collected (a zombie).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE] in "ZX" else f"{fields[_STARTED]}@{boot}"


def memory_mb() -> float:
    """Memory that this process holds in RAM, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE
