"""A CD of many files: how soon they are sorted into series, and what memory that takes."""

from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.benchmark.process import run_python
from covidct.benchmark.samples import write_disc
from covidct.benchmark.settings import Settings
from covidct.benchmark.timing import seconds
from covidct.inference.cases import groups_at

_SORT = """
import sys
from pathlib import Path
from covidct.inference.cases import groups_at

print(len(list(groups_at([Path(sys.argv[1])]))))
"""


def measure_sorting(settings: Settings) -> dict[str, float]:
    """Seconds of sorting a folder, once its files have been read, and the peak memory of a process
    that does nothing else."""
    with TemporaryDirectory() as scratch:
        disc = write_disc(Path(scratch) / "disc", settings.disc, settings.side)
        peak = run_python("-c", _SORT, str(disc)).peak_mib
        taken = seconds(lambda: list(groups_at([disc])))
    return {"sorting_s": taken, "sorted_files": settings.disc, "sorting_peak_mib": peak}
