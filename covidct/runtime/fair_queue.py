"""A queue in front of something that serves few at a time: whoever came first is served first."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Waiting = Callable[[int], object]

SAY_EVERY = 0.5  # seconds


class FairQueue:
    """A lock that is handed on in the order of asking (first in, first out).

    The thread that lets go of a plain lock may take it again at once, so a session with hundreds
    of slices could hold up all others. Here it goes to the end of the queue, and as each session
    asks for one slice at a time, sessions take turns.

    Args:
        places: how many are served at a time.
    """

    def __init__(self, places: int = 1) -> None:
        self._places = places
        self._mutex = threading.Lock()
        self._queue: list[threading.Event] = []

    def __len__(self) -> int:
        """How many are being served or wait."""
        with self._mutex:
            return len(self._queue)

    @contextmanager
    def turn(self, waiting: Waiting | None = None) -> Iterator[None]:
        """Wait for one's turn, which lasts as long as the block.

        Args:
            waiting: told every half second how many are ahead, for as long as there are any; what
                it raises gives up the place in the queue.
        """
        mine = threading.Event()
        with self._mutex:
            self._queue.append(mine)
            self._serve()
        try:
            while not mine.wait(SAY_EVERY):
                with self._mutex:
                    ahead = self._queue.index(mine) - self._places + 1
                if waiting is not None:
                    waiting(ahead)
            yield
        finally:
            with self._mutex:
                self._queue.remove(mine)
                self._serve()

    def _serve(self) -> None:
        for one in self._queue[: self._places]:
            one.set()
