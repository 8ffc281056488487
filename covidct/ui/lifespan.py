"""What goes on beside the pages, for as long as a server runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from covidct import logs
from covidct.ui import access
from covidct.ui.interface import check_settings
from covidct.ui.received.server_node import serve
from covidct.ui.shared.network import give_freed_memory_back
from covidct.ui.streamlit_internals import giving_back_closed_sessions, log_as_others_do

if TYPE_CHECKING:
    from streamlit import App


@asynccontextmanager
async def lifespan(_app: App) -> AsyncGenerator[None]:
    """The queue of runs where it stood still, the DICOM node, where the server is one, and the end
    of sessions that were closed."""
    if logs.are_json():
        log_as_others_do()
        logs.write_json()
    secrets = access.secrets()
    check_settings(secrets)
    Thread(target=_go_on_with_the_queue, daemon=True).start()
    with serve(secrets or {}):
        async with giving_back_closed_sessions(give_freed_memory_back):
            yield


def _go_on_with_the_queue() -> None:
    """Start the next run, where the computer went down before the one before it had ended."""
    from covidct.training.queue import advance

    with suppress(OSError):  # the pages say what is wrong with the disk
        advance()
