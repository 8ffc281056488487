"""Whoever sorts many files holds up nobody who has few."""

import threading
import time

from covidct.imaging.file import File
from covidct.imaging.gather import gather, turns

FEW, MANY = 1, 60


def test_sessions_that_sort_take_turns_after_each_file():
    order: list[str] = []
    at_once: list[int] = []
    running = threading.Semaphore(1)
    late = threading.Thread(target=lambda: gather(files("late", FEW)))

    def files(session: str, count: int) -> list[File]:
        def read() -> bytes:
            at_once.append(running.acquire(blocking=False))
            order.append(session)
            if order.count("first") == MANY // 2 and session == "first":
                late.start()
                while len(turns) < 3:  # one is served, two wait
                    time.sleep(0.001)
            running.release()
            return b"no picture"

        return [File(f"{session} {number}", read) for number in range(count)]

    sessions = [
        threading.Thread(target=gather, args=(files(name, MANY),)) for name in ("first", "second")
    ]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    late.join()
    assert all(at_once)
    joined = [i for i, session in enumerate(order) if session == "first"][MANY // 2 - 1]
    assert 0 < order.index("late") - joined <= 2
    assert len(order) == 2 * MANY + FEW
