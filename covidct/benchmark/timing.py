"""Seconds."""

import time
from collections.abc import Callable

import numpy as np


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def fastest(repeats: int, *works: Callable[[], object]) -> list[float]:
    """The shortest time of each of several things, done in turn after once to warm up.

    What disturbs a measurement only ever makes it longer, so the shortest is the most like that of
    a quiet machine; in turn, so that a change of the machine's pace meets them all.
    """
    for work in works:
        work()
    return np.min([[seconds(work) for work in works] for _ in range(repeats)], axis=0).tolist()


def exponent(sizes: list[int], taken: list[float]) -> float:
    """The power of the size that a time grows with: 1 is linear; by least squares of logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(taken), 1)[0])
