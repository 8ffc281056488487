"""A Python process from its start to its end: seconds and peak memory.

python -m covidct.benchmark.process ARGUMENT… runs Python with these arguments and prints
both. It stands between the bench and what is measured, since a new process inherits the peak of the
one that starts it, and the bench may have imported TensorFlow.
"""

import json
import os
import subprocess
import sys
import time
from typing import NamedTuple

from covidct.home import CALLER


class Cost(NamedTuple):
    """What a process took.

    Attributes:
        seconds: from its start to its end.
        peak_mib: the most resident memory it had, in 2^20 bytes.
    """

    seconds: float
    peak_mib: float


def run_python(*arguments: str) -> Cost:
    """Run Python with these arguments, in the folder of app.py.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", __name__, *arguments]
    done = subprocess.run(command, cwd=CALLER, check=True, capture_output=True)
    return Cost(*json.loads(done.stdout))


def main(arguments: list[str]) -> int:
    """Run Python, print seconds and peak memory, and end as it ended."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - started
    print(json.dumps(Cost(taken, usage.ru_maxrss / 1024)))  # Linux counts in KiB
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
