"""How much of the disk training runs, evaluations, and data sets of the pages, may take.

Nothing is deleted to make room: what is new is refused for as long as there is none. Whoever runs
the server says how much there is, in MB:

    COVIDCT_RUNS_MB=20000          training runs
    COVIDCT_DATA_MB=50000          data sets, fetched, uploaded or kept from the Diagnose page
    COVIDCT_EVALUATIONS_MB=2000    evaluations
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from covidct.errors import ConfigError
from covidct.home import data_dir, evaluations_dir, runs_dir
from covidct.messages import N_

MEGABYTE = 1024**2

_NUMBER = re.compile(r"\d{1,15}")  # of more digits Python may refuse to make a number


@dataclass(frozen=True, slots=True)
class Quota:
    """What a folder may take.

    Attributes:
        variable: of the environment, which says how many MB.
        usual: MB where it does not.
        folder: gives the folder.
    """

    variable: str
    usual: int
    folder: Callable[[], Path]

    def taken(self) -> int:
        """Bytes that the folder takes."""
        return bytes_in(self.folder())

    def allowed(self) -> int:
        """Bytes that it may take.

        Raises:
            ConfigError: the environment says something else than a number of MB.
        """
        said = os.environ.get(self.variable) or str(self.usual)
        if not _NUMBER.fullmatch(said):
            raise ConfigError(
                N_("{variable} has to be a whole number of MB.", variable=self.variable)
            )
        return int(said) * MEGABYTE


RUNS = Quota("COVIDCT_RUNS_MB", 20_000, runs_dir)
DATA = Quota("COVIDCT_DATA_MB", 50_000, data_dir)
EVALUATIONS = Quota("COVIDCT_EVALUATIONS_MB", 2_000, evaluations_dir)


def bytes_in(folder: Path) -> int:
    """Bytes of the files in a folder, each once, whatever names it has; links are not followed."""
    sizes = {}
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # somebody has just deleted it
                found = Path(inside, name).lstat()
                sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())
