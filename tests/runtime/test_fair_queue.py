import threading

import pytest

from covidct.runtime.fair_queue import FairQueue


def until_waiting(queue, count):
    while len(queue) < count:
        threading.Event().wait(0.001)


def test_a_session_of_many_slices_lets_one_of_a_single_slice_through_after_its_own_next():
    queue, served = FairQueue(), []

    def ask(name, turns):
        for _ in range(turns):
            with queue.turn():
                served.append(name)
                if served == ["many"]:
                    single.start()
                    until_waiting(queue, 2)

    many = threading.Thread(target=ask, args=("many", 400))
    single = threading.Thread(target=ask, args=("single", 1))
    many.start()
    many.join()
    single.join()
    assert served.index("single") == 1
    assert len(served) == 401


def test_turns_come_in_the_order_of_asking_and_never_two_at_once():
    queue, served, inside = FairQueue(), [], threading.Lock()

    def ask(number):
        with queue.turn():
            assert inside.acquire(blocking=False)
            served.append(number)
            inside.release()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    with queue.turn():
        for number, thread in enumerate(threads):
            thread.start()
            until_waiting(queue, number + 2)
    for thread in threads:
        thread.join()
    assert served == list(range(30))
    assert len(queue) == 0


def test_who_waits_is_told_how_many_are_ahead_and_may_leave_without_holding_up_others():
    queue, told, served = FairQueue(), [], []

    def leave(ahead):
        told.append(ahead)
        raise InterruptedError

    def ask_and_leave():
        with pytest.raises(InterruptedError), queue.turn(leave):
            served.append("never")

    def ask():
        with queue.turn():
            served.append("behind")

    leaving, behind = threading.Thread(target=ask_and_leave), threading.Thread(target=ask)
    with queue.turn():
        leaving.start()
        until_waiting(queue, 2)
        behind.start()
        until_waiting(queue, 3)
        leaving.join()
        assert len(queue) == 2
    behind.join()
    assert told == [1]
    assert served == ["behind"]


def test_a_turn_that_fails_is_over():
    queue = FairQueue()
    with pytest.raises(ZeroDivisionError), queue.turn():
        1 / 0  # noqa: B018
    with queue.turn():
        assert len(queue) == 1


def test_as_many_as_there_are_places_are_served_at_once_and_the_next_is_told_who_is_ahead():
    queue, told, served = FairQueue(places=2), [], threading.Event()

    def ask():
        with queue.turn(told.append):
            served.set()

    third = threading.Thread(target=ask)
    with queue.turn():
        with queue.turn():
            third.start()
            while not told:
                threading.Event().wait(0.01)
            assert not served.is_set()
        third.join()
        assert served.is_set()
    assert set(told) == {1}
