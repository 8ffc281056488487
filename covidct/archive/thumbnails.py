"""Small pictures of series, asked of an archive while nobody waits for them."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from covidct.archive.dicomweb import Archive
from covidct.archive.listed import ArchivedSeries

_AT_ONCE = 2


class Thumbnails:
    """What an archive renders of some series, as far as it has come.

    Args:
        archive: is asked in threads of their own; where it renders nothing there is no picture.
        series: of which there shall be one.
    """

    def __init__(self, archive: Archive, series: Iterable[ArchivedSeries]) -> None:
        pool = ThreadPoolExecutor(_AT_ONCE)
        self._coming: dict[str, Future[bytes]] = {
            one.series: pool.submit(archive.thumbnail, one) for one in series
        }
        pool.shutdown(wait=False)

    def ready(self) -> dict[str, bytes]:
        """The pictures that are there, JPEG by SeriesInstanceUID."""
        return {
            uid: future.result()
            for uid, future in self._coming.items()
            if future.done() and not future.cancelled() and not future.exception()
        }

    @property
    def is_complete(self) -> bool:
        """Whether no more will come."""
        return all(future.done() for future in self._coming.values())

    def cancel(self) -> None:
        """Ask for no more."""
        for future in self._coming.values():
            future.cancel()
