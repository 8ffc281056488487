"""Verdicts on many slices: the next ones are read and prepared while the network judges some."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

from covidct.errors import UnreadableSlice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.preprocess import Chest
from covidct.imaging.readers import read_slice
from covidct.imaging.series import Series
from covidct.imaging.sources import File
from covidct.inference.classifier import AT_A_TIME, Classifier, Evidence, Prediction
from covidct.inference.heatmap import lung_share

BATCH = 4  # slices whose passes keep the interpreters busy
_AHEAD = 4  # batches that are read before the network asks for them

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


class _Prepared(NamedTuple):
    """A slice that was read, its chest found."""

    chest: Chest
    notes: tuple[str, ...]


def judge_many(classifier: Classifier, reads: Iterable[Callable[[], CTSlice]]) -> Iterator[Judged]:
    """Judge slices in their order; not more than a few are held at a time.

    Args:
        classifier: the network.
        reads: each gives a slice or raises UnreadableSlice; called in threads, several at once.
    """

    def prepare(read: Callable[[], CTSlice]) -> _Prepared | UnreadableSlice:
        try:
            ct_slice = read()
        except UnreadableSlice as error:
            return error
        return _Prepared(classifier.find_chest(ct_slice), ct_slice.notes)

    def judge(batch: Sequence[_Prepared | UnreadableSlice]) -> list[Judged]:
        chests = [found.chest for found in batch if isinstance(found, _Prepared)]
        looks = iter(classifier.look_at_chests(chests))
        return [
            _judged(classifier, next(looks), found.notes)
            if isinstance(found, _Prepared)
            else Judged(refusal=found)
            for found in batch
        ]

    prepared = _ahead(prepare, reads, os.cpu_count(), _AHEAD * BATCH)
    for judged in _ahead(judge, _batches(prepared), AT_A_TIME, AT_A_TIME + 1):
        yield from judged


def _judged(classifier: Classifier, look: Evidence, notes: tuple[str, ...]) -> Judged:
    return Judged(look.prediction, lung_share(classifier, look), notes)


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, BATCH)):
        yield batch


def reads_of(group: File | Series) -> list[Callable[[], CTSlice]]:
    """What decodes each slice of a file or a series, in order; raises UnreadableSlice."""
    if isinstance(group, Series):
        return [partial(group.read, index) for index in range(len(group))]
    return [lambda: read_slice(group.read())]


def _ahead(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, most: int
) -> Iterator[Result]:
    """Like ``map``, in threads, so many items before they are asked for."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) == most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
