"""A process that sees a job through: it runs the job, and then what comes after, however it ended.

``python -m covidct.jobs.attended JOB… -- AFTER…``, both arguments of Python. It imports nothing of
weight, since it waits for as long as the job takes. Both inherit its descriptors.
"""

import os
import subprocess
import sys


def main(arguments: list[str]) -> None:
    """Run the job, wait for its end, and become what comes after."""
    end = arguments.index("--")
    subprocess.call([sys.executable, *arguments[:end]], close_fds=False)
    os.execv(sys.executable, [sys.executable, *arguments[end + 1 :]])


if __name__ == "__main__":
    main(sys.argv[1:])
