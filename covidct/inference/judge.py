"""The one way to judge slices, for pages, command line, reports and evaluation alike.

The next slices are read and prepared while the network judges some.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, tee
from typing import NamedTuple, TypeVar

from covidct.errors import NotALungSlice, UnreadableSlice
from covidct.imaging.anatomy.gate import check_lung_slice
from covidct.imaging.anatomy.lung_extent import BEYOND_LUNGS, tell_ends
from covidct.imaging.anatomy.thorax_crop import ThoraxCrop
from covidct.imaging.ct_slice import CTSlice
from covidct.inference.calibration import Calibration
from covidct.inference.cases import Case, CaseGroup, SetAside
from covidct.inference.classifier import AT_A_TIME, Classifier, Prediction, PredictionWithCAM
from covidct.inference.heatmap import lung_share
from covidct.inference.opacities import (
    OpacityFindings,
    SeriesOpacities,
    findings_of,
    series_opacities,
)
from covidct.inference.series_verdict import series_prediction
from covidct.messages import N_, joined
from covidct.runtime.fair_queue import SAY_EVERY, Waiting
from covidct.telemetry import REFUSED, judging

BESIDE_CT = N_("A picture beside the CT.")
BATCH = 4  # slices whose passes keep the interpreters busy
_AHEAD = 4  # batches that are read before the network asks for them

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A slice with a verdict.

    Attributes:
        case: the slice.
        prediction: the verdict.
        lung_share: part of the default heat map inside the lungs, as :attr:`HeatMap.lung_share`.
        opacities: what there is to see in the lungs.
        notes: the reader's remarks.
        source: the format, such as "PNG".
        shape: rows and columns.
        seen: the slice itself and what the verdict rests on; None once :meth:`summary` dropped it.
        error: what could not be made of it in spite of the verdict, else empty.
        fingerprint: as a card holds it, of a slice that was judged elsewhere, if asked for.
    """

    case: Case
    prediction: Prediction
    lung_share: float | None
    opacities: OpacityFindings
    notes: tuple[str, ...]
    source: str
    shape: tuple[int, int]
    seen: tuple[CTSlice, PredictionWithCAM] | None = None
    error: str = ""
    fingerprint: str = ""

    def summary(self) -> "Judged":
        """The same without pixels, small enough to be kept for thousands."""
        return replace(self, seen=None)


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """A slice without a verdict.

    Attributes:
        case: the slice.
        error: why; a NotALungSlice if it can be looked at all the same.
    """

    case: Case
    error: UnreadableSlice

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return self.error.message

    @property
    def is_readable(self) -> bool:
        """Whether it is a picture, if not one of lungs."""
        return isinstance(self.error, NotALungSlice)


@dataclass(frozen=True, slots=True, eq=False)
class SeriesJudged:
    """The verdict on a whole series, by :data:`covidct.inference.series_verdict.RULE`.

    Attributes:
        group: the series.
        prediction: the verdict.
        slices: how many of its slices were judged.
        number: of the slice that the verdict rests on, from 1.
        opacities: those of all its slices with lungs.
    """

    group: CaseGroup
    prediction: Prediction
    slices: int
    number: int
    opacities: SeriesOpacities


Outcome = Judged | Refused | SetAside
Admit = Callable[[CTSlice], CTSlice]
SliceJudge = Callable[[Classifier, Iterable[Case], Admit], Generator[Judged | Refused, None, None]]


class _Prepared(NamedTuple):
    """A slice that was read and cropped."""

    case: Case
    ct_slice: CTSlice
    crop: ThoraxCrop


def admit_all(ct_slice: CTSlice) -> CTSlice:
    """Pass on whatever is a picture, as it is."""
    return ct_slice


def judge(
    classifier: Classifier,
    groups: Iterable[CaseGroup],
    admit: Admit = check_lung_slice,
    by: SliceJudge | None = None,
) -> Iterator[tuple[CaseGroup, Iterator[Outcome | SeriesJudged]]]:
    """Judge files and series.

    Args:
        classifier: the network.
        groups: what to judge.
        admit: passes a slice on, or refuses it by raising NotALungSlice.
        by: judges the slices; :func:`judge_slices` by default.

    Yields:
        Each group with its outcomes: those of its slices in order, then what was left out, then the
        verdict on a series. They are to be taken before those of the next group.
    """
    to_read, to_conclude = tee(groups)
    cases = chain.from_iterable(group.cases for group in to_read)
    found = (by or judge_slices)(classifier, cases, admit)
    for group in to_conclude:
        yield group, conclude(group, islice(found, len(group.cases)), classifier)


def conclude(
    group: CaseGroup, found: Iterable[Judged | Refused], classifier: Classifier
) -> Iterator[Outcome | SeriesJudged]:
    """What the verdicts on the slices of a group come to, each passed on as soon as it is known.

    Slices that were refused above or below all lungs of a series are set aside, and so are
    pictures that lie beside a series and are none of CT.
    """
    judged: list[Judged] = []
    told = tell_ends(found, lambda one: isinstance(one, Judged), _beyond_lungs)
    for outcome in map(_beside_series, told) if group.beside_series else told:
        if isinstance(outcome, Judged):
            judged.append(outcome.summary())
        yield outcome
    yield from group.left_out
    if group.is_series and judged:
        yield _series_judged(group, judged, classifier.card.calibration)


def _series_judged(
    group: CaseGroup, judged: Sequence[Judged], calibration: Calibration
) -> SeriesJudged:
    """The verdict on a series by those on its slices with lungs, at least one, in order."""
    opacities = series_opacities(
        [one.opacities for one in judged],
        from_the_feet=all(one.case.place.position_mm is not None for one in judged),
    )
    prediction, position = series_prediction(
        [one.prediction for one in judged],
        calibration,
        opacities.volume_share,
        opacities.lung_density,
    )
    number = judged[position].case.number
    assert number is not None  # only what is no slice has none
    return SeriesJudged(group, prediction, len(judged), number, opacities)


def verdict_among(outcomes: Iterable[Outcome | SeriesJudged]) -> SeriesJudged | Judged | None:
    """That on the series, or else on the first slice that was judged; None where none was."""
    judged = [one for one in outcomes if isinstance(one, SeriesJudged | Judged)]
    of_series = (one for one in judged if isinstance(one, SeriesJudged))
    return next(of_series, judged[0] if judged else None)


def judge_slices(
    classifier: Classifier,
    cases: Iterable[Case],
    admit: Admit = check_lung_slice,
    waiting: Waiting | None = None,
) -> Generator[Judged | Refused, None, None]:
    """Judge slices in their order; not more than a few are held at a time.

    Args:
        classifier: the network.
        cases: read in threads, several at once.
        admit: passes a slice on, or refuses it by raising NotALungSlice.
        waiting: told how many slices of others are ahead, while there are any; called in the
            thread that iterates.
    """
    ahead = _Ahead(waiting)
    prepare = partial(_prepare, classifier, admit)
    predict = partial(_predict, classifier, ahead.note)
    prepared = _in_threads(prepare, cases, os.cpu_count() or 1, _AHEAD * BATCH, ahead)
    with judging() as count:
        for judged in _in_threads(predict, _batches(prepared), AT_A_TIME, AT_A_TIME + 1, ahead):
            for one in judged:
                count(one.prediction.decision if isinstance(one, Judged) else REFUSED)
                yield one


def judge_slice(classifier: Classifier, case: Case, admit: Admit) -> Judged | Refused:
    """Judge one slice in this thread, for who sees to it that others are busy as well."""
    return _predict(classifier, None, [_prepare(classifier, admit, case)])[0]


def _prepare(classifier: Classifier, admit: Admit, case: Case) -> _Prepared | Refused:
    try:
        ct_slice = classifier.segmented(admit(case.read()))
    except UnreadableSlice as error:
        return Refused(case, error)
    return _Prepared(case, ct_slice, classifier.crop_thorax(ct_slice))


def _predict(
    classifier: Classifier, waiting: Waiting | None, batch: Sequence[_Prepared | Refused]
) -> list[Judged | Refused]:
    crops = [one.crop for one in batch if isinstance(one, _Prepared)]
    predicted = iter(classifier.predict_crops(crops, waiting))
    return [
        _judged(classifier, one, next(predicted)) if isinstance(one, _Prepared) else one
        for one in batch
    ]


def _judged(classifier: Classifier, one: _Prepared, predicted: PredictionWithCAM) -> Judged:
    return Judged(
        one.case,
        predicted.prediction,
        lung_share(classifier, predicted),
        findings_of(one.ct_slice),
        one.ct_slice.notes,
        one.ct_slice.source,
        one.ct_slice.shape,
        (one.ct_slice, predicted),
    )


def _beyond_lungs(outcome: Judged | Refused) -> Outcome:
    if isinstance(outcome, Refused) and outcome.is_readable:
        return SetAside(outcome.case, joined(BEYOND_LUNGS, outcome.reason))
    return outcome


def _beside_series(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Refused):
        return SetAside(outcome.case, joined(BESIDE_CT, outcome.reason))
    return outcome


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, BATCH)):
        yield batch


class _Ahead:
    """Passes on, from threads that wait to the one that may tell, how many slices are ahead."""

    def __init__(self, waiting: Waiting | None) -> None:
        self._waiting, self._last = waiting, 0

    def note(self, slices: int) -> None:
        """Keep it, in the thread that waits."""
        self._last = slices

    def result(self, future: Future[Result]) -> Result:
        """Wait for a result, and tell how many are ahead meanwhile."""
        while not wait([future], SAY_EVERY).done:
            if self._waiting and self._last:
                self._waiting(self._last)
                self._last = 0
        return future.result()


def _in_threads(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    most: int,
    ahead: _Ahead,
) -> Iterator[Result]:
    """Like ``map``, in threads, so many items before they are asked for."""
    started: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            started.append(pool.submit(work, item))
            if len(started) == most:
                yield ahead.result(started.popleft())
        while started:
            yield ahead.result(started.popleft())
    finally:
        pool.shutdown(cancel_futures=True)
