"""A long row of tasks on a Dask cluster, of which it knows a few at a time.

However many there are, the scheduler holds no more than :data:`AHEAD`, so its memory stays flat.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn, TypeVar

import dask
from dask.typing import Key
from dask.utils import parse_timedelta
from distributed import Client, Future, KilledWorker, as_completed
from distributed.scheduler import NoWorkerError

from covidct.errors import ClusterError, CovidCTError
from covidct.messages import N_

AHEAD = 1000  # tasks that are handed over before they are needed: enough for as many threads

_PATIENCE = "distributed.scheduler.no-workers-timeout"
_USUAL_PATIENCE = "5 minutes"  # where that says nothing
_LOOK = 1.0  # seconds without an answer after which it is asked whether there are workers

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Value = TypeVar("Value")


def as_they_come(
    client: Client,
    work: Callable[[Sequence[Item]], Answer],
    tasks: Iterable[Sequence[Item]],
) -> Generator[tuple[Sequence[Item], Answer | None], None, None]:
    """Have tasks done, and pass each on with its answer as soon as it is there, in any order.

    What a worker had that comes to an end is done by another. Tasks of which one ends one worker
    after the other (Dask's ``allowed-failures``) are tried item by item, each while nothing else is
    at work, so that none is blamed for what another did.

    Args:
        client: of the cluster.
        work: a function of a module, or a partial of one.
        tasks: of items that can be pickled.

    Yields:
        A task and its answer; None of an item that ended one worker after the other.

    Raises:
        ClusterError: the scheduler is gone, there was no worker for as long as Dask's setting
            ``distributed.scheduler.no-workers-timeout`` says (5 minutes where it says nothing), or
            the work failed.
        CovidCTError: raised by the work.
    """
    waiting = iter(tasks)
    running: dict[Key, tuple[Future, Sequence[Item]]] = {}
    suspects: deque[Item] = deque()
    alone: Sequence[Item] | None = None
    done = as_completed(loop=client.loop, with_results=True, raise_errors=False)

    def start(task: Sequence[Item]) -> None:
        future = client.submit(work, task, pure=False)
        running[future.key] = future, task
        done.add(future)

    def start_more() -> None:
        for task in islice(waiting, AHEAD - len(running)):
            start(task)
            if done.has_ready():  # which goes first, where tasks are slow to list
                return

    try:
        start_more()
        for future, answer in _while_there_are_workers(client, done):
            _, task = running.pop(future.key)
            if future.status == "finished":
                yield task, answer
            elif not _was_killed(answer):
                _fail(answer)
            elif task is alone:
                yield task, None
            else:
                suspects.extend(task)
            if not suspects:
                start_more()
            elif not running:
                alone = [suspects.popleft()]
                start(alone)
    finally:
        client.cancel([future for future, _ in running.values()])


def in_order(found: Iterable[Mapping[int, Value]]) -> Iterator[Value]:
    """The values by their keys, 0, 1, 2 and so on, each as soon as those before it are there."""
    kept: dict[int, Value] = {}
    following = 0
    for some in found:
        kept |= some
        while following in kept:
            yield kept.pop(following)
            following += 1


def _while_there_are_workers(client: Client, done: as_completed) -> Iterator[tuple[Future, Any]]:
    """Tasks as they are done.

    Raises:
        ClusterError: nothing was done, since there was no worker for too long.
    """
    patience = parse_timedelta(dask.config.get(_PATIENCE) or _USUAL_PATIENCE)
    last = time.monotonic()  # when there was a worker
    while not done.is_empty():
        with done.thread_condition:
            if not done.has_ready():
                done.thread_condition.wait(_LOOK)
        if done.has_ready():
            yield next(done)
            last = time.monotonic()
        elif client.scheduler_info(n_workers=0)["n_workers"]:
            last = time.monotonic()
        elif time.monotonic() - last > patience:
            raise _deserted(patience)


def _deserted(seconds: float) -> ClusterError:
    return ClusterError(
        N_(
            "The cluster has had no worker for {seconds:g} s. Start workers, then the same command "
            "again: what is in the file that --journal names is not done anew, all else is. Where "
            "workers stay away for longer, set DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT to "
            "more.",
            seconds=seconds,
        )
    )


def _was_killed(answer: Any) -> bool:  # noqa: ANN401
    return isinstance(answer, tuple) and isinstance(answer[1], KilledWorker)


def _fail(answer: Any) -> NoReturn:  # noqa: ANN401
    """Raise what a task came to: an exception with its type and traceback, or a cancellation."""
    error = answer[1] if isinstance(answer, tuple) else answer
    if isinstance(error, CovidCTError):
        raise error
    if isinstance(error, NoWorkerError):  # where the scheduler has that setting, too
        raise _deserted(error.timeout) from error
    if isinstance(answer, tuple):
        raise ClusterError(
            N_("A worker could not do its work: {reason}", reason=repr(error))
        ) from error
    raise ClusterError(
        N_("The scheduler of the cluster cannot be reached any more. Start again once it runs.")
    ) from error
