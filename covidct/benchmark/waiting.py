"""Tasks that only wait, of the size of those that judge, as workers import them."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from covidct.cluster.worker import Answer, Job, Slice
from covidct.imaging.file import File, load
from covidct.imaging.readers import read_slice
from covidct.imaging.series import Place
from covidct.inference.cases import Case

A_TASK = 16  # slices
_ROW = "x" * 600  # characters, as many as a verdict takes
_WAIT = 0.0005  # seconds for a slice


def wait_for(job: Job, slices: Sequence[Slice]) -> list[Answer]:
    """A task that waits instead of judging."""
    time.sleep(_WAIT * len(slices))
    return [Answer("0" * 64, _ROW) for _ in slices]


def tasks(slices: int) -> Iterator[list[Slice]]:
    """As many slices, each of a file of its own."""
    for first in range(0, slices, A_TASK):
        yield [_slice(number) for number in range(first, min(first + A_TASK, slices))]


def _slice(number: int) -> Slice:
    path = Path(f"/archive/patient {number // 500:06d}/series 3/{number % 500:04d}.dcm")
    file = File(str(path), partial(load, path))
    case = Case(Place(str(path), None, 1.5 * (number % 500)), partial(read_slice, path), file=file)
    return Slice(number, case, "")
