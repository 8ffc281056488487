"""What goes on beside the pages, for as long as a server runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
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
    """The DICOM node, where the server is one, and the end of sessions that were closed."""
    if logs.are_json():
        log_as_others_do()
        logs.write_json()
    secrets = access.secrets()
    check_settings(secrets)
    with serve(secrets or {}):
        async with giving_back_closed_sessions(give_freed_memory_back):
            yield
