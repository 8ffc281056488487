"""A long row of tasks on a Dask cluster, of which it knows a few at a time.

However many there are, the scheduler holds no more than :data:`AHEAD`, so its memory stays flat.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn, TypeVar

from dask.typing import Key
from distributed import Client, Future, KilledWorker, as_completed

from covidct.errors import ClusterError, CovidCTError
from covidct.messages import N_

AHEAD = 1000  # tasks that are handed over before they are needed: enough for as many threads

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
        ClusterError: the scheduler is gone, or the work failed.
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
        for future, answer in done:
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


def _was_killed(answer: Any) -> bool:  # noqa: ANN401
    return isinstance(answer, tuple) and isinstance(answer[1], KilledWorker)


def _fail(answer: Any) -> NoReturn:  # noqa: ANN401
    """Raise what a task came to: an exception with its type and traceback, or a cancellation."""
    error = answer[1] if isinstance(answer, tuple) else answer
    if isinstance(error, CovidCTError):
        raise error
    if isinstance(answer, tuple):
        raise ClusterError(
            N_("A worker could not do its work: {reason}", reason=repr(error))
        ) from error
    raise ClusterError(
        N_("The scheduler of the cluster cannot be reached any more. Start again once it runs.")
    ) from error
