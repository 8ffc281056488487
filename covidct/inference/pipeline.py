"""Verdicts on many slices: the next ones are read and prepared while the network judges some."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

from covidct.errors import UnreadableSlice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.preprocess import Chest
from covidct.imaging.readers import read_slice
from covidct.imaging.series import Series
from covidct.imaging.sources import File
from covidct.inference.classifier import Classifier, Prediction
from covidct.inference.heatmap import heat_map

BATCH = 4  # larger ones leave the processor's cache and are slower
_AHEAD = 4 * BATCH  # slices that are read before the network asks for them

Item, Result = TypeVar("Item"), TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one slice.

    Attributes:
        prediction: the verdict; None where the slice was refused.
        lung_share: part of the heat map inside the lungs, as :attr:`HeatMap.lung_share`.
        notes: the reader's remarks.
        refusal: why there is no verdict.
    """

    prediction: Prediction | None = None
    lung_share: float | None = None
    notes: tuple[str, ...] = ()
    refusal: UnreadableSlice | None = None


def judge_many(classifier: Classifier, reads: Iterable[Callable[[], CTSlice]]) -> Iterator[Judged]:
    """Judge slices in their order; not more than a few are held at a time.

    Args:
        classifier: the network.
        reads: each gives a slice or raises UnreadableSlice; called in threads, several at once.
    """

    def prepare(read: Callable[[], CTSlice]) -> tuple[Chest, tuple[str, ...]] | UnreadableSlice:
        try:
            ct_slice = read()
        except UnreadableSlice as error:
            return error
        return classifier.find_chest(ct_slice), ct_slice.notes

    prepared = _ahead(prepare, reads)
    while batch := list(islice(prepared, BATCH)):
        chests = [found[0] for found in batch if not isinstance(found, UnreadableSlice)]
        looks = iter(classifier.look_at_chests(chests))
        for found in batch:
            if isinstance(found, UnreadableSlice):
                yield Judged(refusal=found)
            else:
                look = next(looks)
                heat = heat_map(classifier, look)
                yield Judged(look.prediction, heat.lung_share, found[1])


def reads_of(group: File | Series) -> list[Callable[[], CTSlice]]:
    """What decodes each slice of a file or a series, in order; raises UnreadableSlice."""
    if isinstance(group, Series):
        return [partial(group.read, index) for index in range(len(group))]
    return [lambda: read_slice(group.read())]


def _ahead(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Like ``map``, in threads, a few items before they are asked for."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for item in items:
            waiting.append(threads.submit(work, item))
            if len(waiting) == _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
