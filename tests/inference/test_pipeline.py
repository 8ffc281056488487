import threading

import pytest

from covidct.errors import UnreadableSlice
from covidct.inference.classifier import AT_A_TIME, Classifier
from covidct.inference.pipeline import _AHEAD, BATCH, judge_many


@pytest.fixture(scope="module")
def untrained(tiny_model):
    return Classifier.load(tiny_model)


def test_verdicts_come_in_order_and_refusals_stay_in_their_places(untrained, phantoms):
    slices = [phantom.ct_slice for phantom in phantoms] * 2

    def read(number):
        if number % 5 == 2:
            raise UnreadableSlice(f"number {number}")
        return slices[number]

    judged = list(judge_many(untrained, [lambda n=n: read(n) for n in range(len(slices))]))
    assert len(judged) == len(slices)
    for number, found in enumerate(judged):
        if number % 5 == 2:
            assert (found.prediction, str(found.refusal)) == (None, f"number {number}")
        else:
            alone = untrained.classify(slices[number])
            assert found.prediction.probability == pytest.approx(alone.probability, abs=1e-5)
            assert (found.notes, found.refusal) == (slices[number].notes, None)


def test_only_a_few_slices_are_read_ahead(untrained, phantoms):
    read, lock = [], threading.Lock()

    def reads():
        for number in range(200):
            yield lambda number=number: note(number)

    def note(number):
        with lock:
            read.append(number)
        return phantoms[number % len(phantoms)].ct_slice

    judged = judge_many(untrained, reads())
    next(judged)
    judged.close()
    assert BATCH <= len(read) <= (_AHEAD + AT_A_TIME + 1) * BATCH


def test_an_error_that_is_no_refusal_is_not_swallowed(untrained):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(judge_many(untrained, [fail]))


def test_nothing_to_read_is_nothing_judged(untrained):
    assert list(judge_many(untrained, [])) == []
