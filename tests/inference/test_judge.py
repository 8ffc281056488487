import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from covidct.errors import UnreadableSlice
from covidct.imaging.gather import THUMBNAIL
from covidct.imaging.series import Place
from covidct.inference.cases import Case, SetAside, groups_at
from covidct.inference.classifier import AT_A_TIME, Classifier
from covidct.inference.judge import (
    _AHEAD,
    BATCH,
    BESIDE_CT,
    Judged,
    Refused,
    SeriesJudged,
    judge,
    judge_slices,
)
from covidct.inference.series_verdict import series_prediction


def cases_of(reads):
    return (Case(Place(f"{number}.png"), read) for number, read in enumerate(reads))


@pytest.fixture(scope="module")
def untrained(tiny_model):
    return Classifier.load(tiny_model)


def test_verdicts_come_in_order_and_refusals_stay_in_their_places(untrained, phantoms):
    slices = [phantom.ct_slice for phantom in phantoms] * 2

    def read(number):
        if number % 5 == 2:
            raise UnreadableSlice(f"number {number}")
        return slices[number]

    reads = [lambda n=n: read(n) for n in range(len(slices))]
    judged = list(judge_slices(untrained, cases_of(reads)))
    assert len(judged) == len(slices)
    for number, found in enumerate(judged):
        assert found.case.name == f"{number}.png"
        if number % 5 == 2:
            assert isinstance(found, Refused)
            assert found.reason == f"number {number}"
        else:
            assert isinstance(found, Judged)
            alone = untrained.classify(slices[number])
            assert found.prediction.probability == pytest.approx(alone.probability, abs=1e-5)
            assert found.notes == slices[number].notes
            assert found.seen[0] is slices[number]


def test_only_a_few_slices_are_read_ahead(untrained, phantoms):
    read, lock = [], threading.Lock()

    def reads():
        for number in range(200):
            yield lambda number=number: note(number)

    def note(number):
        with lock:
            read.append(number)
        return phantoms[number % len(phantoms)].ct_slice

    judged = judge_slices(untrained, cases_of(reads()))
    next(judged)
    judged.close()
    assert BATCH <= len(read) <= (_AHEAD + AT_A_TIME + 1) * BATCH


def test_an_error_that_is_no_refusal_is_not_swallowed(untrained):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(judge_slices(untrained, cases_of([fail])))


def test_nothing_to_read_is_nothing_judged(untrained):
    assert list(judge_slices(untrained, [])) == []


def test_a_series_is_concluded_with_its_ends_set_aside_and_one_verdict(
    untrained, phantoms, tmp_path, scan, neck, ct_header, ct_file
):
    for number, data in enumerate([*scan, ct_file(ct_header(7), neck)]):
        (tmp_path / f"{number}").write_bytes(data)
    ((group, outcomes),) = judge(untrained, groups_at([tmp_path]))
    *slices, end, whole = outcomes
    assert [outcome.case.number for outcome in slices] == list(range(1, 8))
    assert all(isinstance(outcome, Judged) for outcome in slices)
    assert isinstance(end, SetAside)
    assert isinstance(whole, SeriesJudged)
    assert whole.group is group
    predictions = [outcome.prediction for outcome in slices]
    prediction, position = series_prediction(predictions, untrained.card.calibration)
    assert (whole.prediction, whole.number, whole.slices) == (prediction, position + 1, 7)


def test_what_is_no_series_has_no_verdict_of_its_own(untrained, scan, tmp_path):
    contents = {"a.dcm": scan[0], "b.txt": b"no slice", "c.zip": b"PK\x03\x04 damaged"}
    files = [tmp_path / name for name in contents]
    for file, data in zip(files, contents.values(), strict=True):
        file.write_bytes(data)
    kinds = [
        (group.number, [type(outcome) for outcome in outcomes])
        for group, outcomes in judge(untrained, groups_at(files))
    ]
    assert kinds == [(1, [Judged]), (2, [Refused]), (3, [Refused])]


def test_whoever_waits_is_told_in_the_thread_that_asks(untrained, phantoms):
    told = []

    def say(ahead):
        told.append((ahead, threading.current_thread()))
        release.set()

    release = threading.Event()

    def hold():
        with untrained._queue.turn():
            release.wait(60)

    holders = [threading.Thread(target=hold) for _ in range(AT_A_TIME)]
    for holder in holders:
        holder.start()
    (judged,) = judge_slices(untrained, cases_of([lambda: phantoms[0].ct_slice]), waiting=say)
    for holder in holders:
        holder.join()
    assert isinstance(judged, Judged)
    assert told
    assert all(ahead >= 1 and thread is threading.main_thread() for ahead, thread in told)


def test_pictures_beside_a_series_that_are_no_slices_are_set_aside(
    untrained, scan, no_lungs, phantoms, tmp_path
):
    """A thumbnail, a mask and a logo fail nothing; another slice gets its verdict."""
    folder = tmp_path / "study"
    folder.mkdir()
    for number, data in enumerate(scan):
        (folder / f"IM{number}").write_bytes(data)
    pixels = phantoms[1].ct_slice.pixels
    pictures = {
        "0-mask.png": phantoms[1].lung_mask * np.uint8(255),
        "a-slice.png": pixels,
        "icon.png": cv2.resize(pixels, (96, 96)),
        "tiny.png": pixels[:32, :32],
    }
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / name), picture)
    (folder / "logo.png").write_bytes(no_lungs)
    (folder / "cut.png").write_bytes(no_lungs[:90])
    (folder / "notes.txt").write_text("read me")
    outcomes = [one for _, found in judge(untrained, groups_at([folder])) for one in found]
    aside = {
        Path(one.case.place.file).name: one.reason for one in outcomes if isinstance(one, SetAside)
    }
    assert not any(isinstance(one, Refused) for one in outcomes)
    assert aside.keys() == {
        "0-mask.png",
        "icon.png",
        "tiny.png",
        "logo.png",
        "cut.png",
        "notes.txt",
    }
    assert aside["icon.png"] == aside["tiny.png"] == THUMBNAIL
    assert aside["logo.png"].startswith(BESIDE_CT)
    judged = [Path(one.case.place.file).name for one in outcomes if isinstance(one, Judged)]
    assert judged == [*(f"IM{number}" for number in range(7)), "a-slice.png"]


def test_without_a_series_small_pictures_are_judged_and_others_refused(
    untrained, no_lungs, phantoms, tmp_path
):
    cv2.imwrite(str(tmp_path / "small.png"), cv2.resize(phantoms[1].ct_slice.pixels, (128, 128)))
    (tmp_path / "logo.png").write_bytes(no_lungs)
    (tmp_path / "notes.txt").write_text("read me")
    outcomes = {
        Path(one.case.place.file).name: type(one)
        for _, found in judge(untrained, groups_at([tmp_path]))
        for one in found
    }
    assert outcomes == {"small.png": Judged, "logo.png": Refused, "notes.txt": Refused}
