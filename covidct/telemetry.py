"""What a process counts of its work for whoever watches it: how much and how long, never whose.

The counters are those of :mod:`prometheus_client`. A server offers them at ``/metrics`` and says in
its log how many slices were judged together; elsewhere nobody reads them.
"""

import logging
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

REFUSED = "refused"
OUTCOMES = ("positive", "negative", "uncertain", REFUSED)

VERDICTS = Counter("covidct_verdicts", "Slices by what became of them.", ["outcome"])
for _outcome in OUTCOMES:
    VERDICTS.labels(_outcome)  # is told from the start, as 0
QUEUE = Gauge("covidct_queue", "Batches of up to four slices before and in the network.")
WAITS = Histogram(
    "covidct_wait_seconds",
    "Waits of a batch for its turn at the network.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
REQUESTS = Counter("covidct_requests", "Requests to the HTTP interface.", ["route", "status"])

_LOG = logging.getLogger(__name__)


@contextmanager
def judging() -> Iterator[Callable[[str], None]]:
    """Give what counts the slices that are judged together, by a decision or as refused."""
    counts: Counts[str] = Counts()
    started = time.monotonic()

    def count(outcome: str) -> None:
        outcome = outcome.lower()
        counts[outcome] += 1
        VERDICTS.labels(outcome).inc()

    try:
        yield count
    finally:
        seconds = round(time.monotonic() - started, 3)
        _LOG.info("judged", extra={"figures": {**counts, "seconds": seconds}})


@contextmanager
def queued() -> Iterator[Callable[[], None]]:
    """Count a batch for as long as it waits or is served; give what ends its wait."""
    with QUEUE.track_inprogress():
        asked = time.monotonic()
        yield lambda: WAITS.observe(time.monotonic() - asked)
