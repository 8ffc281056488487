"""Processes as Linux knows them: which one is meant, how much memory it takes.

A process that is launched here outlives this one and holds a lock (:mod:`covidct.jobs.lock`) for as
long as it lives, handed to it by whoever launched it, so that no moment is left in which a second
one could start.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from covidct.home import CALLER, HOME_VARIABLE, home
from covidct.quota import MEGABYTE

_STATE, _STARTED = 0, 19  # fields of /proc/PID/stat, counted after the command's name

_children: list[subprocess.Popen] = []


def process_identity(pid: int) -> str | None:
    """When a process was started, which tells it from a later one with the same number.

    Returns:
        Clock ticks since boot and the boot's own number, or None where there is no such process
        or it has ended and only waits to be collected (a zombie). From /proc, since the start time
        that psutil gives moves with the system's clock.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = _boot()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE] in "ZX" else f"{fields[_STARTED]}@{boot}"


def process_space() -> str:
    """Where numbers of processes mean what they mean here: this boot of this computer, and in it
    this container. No other host has it, whatever their names; a boot later it is another one."""
    return f"{_boot()} {Path('/proc/self/ns/pid').readlink()}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def memory_mb() -> float:
    """Memory that this process holds in RAM, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def launch(
    arguments: Sequence[str], log: Path, lock: int, environment: Mapping[str, str] | None = None
) -> None:
    """Start Python in a session of its own, with this home, and hand it the lock.

    Args:
        arguments: of Python.
        log: what it says is added here.
        lock: descriptor of the lock.
        environment: variables beyond those of this process.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=CALLER,
            env={
                **os.environ,
                HOME_VARIABLE: str(home()),
                "PYTHONUNBUFFERED": "1",
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )
    _children.append(process)


def collect_children() -> None:
    """Let ended processes that were launched here disappear from the process table."""
    _children[:] = [process for process in _children if process.poll() is None]
