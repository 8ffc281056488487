"""What the pages and their visitors need of Streamlit beyond its public API.

Any of these names may change in a minor version. So requirements.txt ends the ranges of Streamlit
and Starlette before the next one, and tests/ui/test_streamlit_internals.py fails on a change.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import streamlit as st
import streamlit.config
import streamlit.logger
from starlette.formparsers import MultiPartParser
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

if TYPE_CHECKING:
    from requests import Session
    from streamlit.components.v2.types import ComponentRenderer
    from websockets.sync.client import ClientConnection

__all__ = [
    "BackMsg",
    "Element",
    "FileURLs",
    "ForwardMsg",
    "WidgetState",
    "component_of_file",
    "giving_back_closed_sessions",
    "held_by_session",
    "is_named",
    "keep_uploads_in_memory",
    "log_as_others_do",
    "open_socket",
    "upload_sizes",
    "xsrf_header",
]

_XSRF_COOKIE = "_streamlit_xsrf"
_LOOK_EVERY = 1  # seconds


def keep_uploads_in_memory() -> None:
    """Let no upload touch the disk on its way in.

    Starlette, which Streamlit serves by, writes what is longer than a megabyte to a temporary file
    before Streamlit takes it into memory. Neither has an option for that.
    """
    MultiPartParser.spool_max_size = sys.maxsize


def log_as_others_do() -> None:
    """Let loggers that Streamlit has yet to make hand on what they log, as Python's do.

    It gives each a handler of its own. The format of all can be set, but none that escapes.
    """

    def hand_on(logger: logging.Logger) -> None:
        logger.propagate = True

    streamlit.logger.setup_formatter = hand_on


@asynccontextmanager
async def giving_back_closed_sessions(afterwards: Callable[[], None]) -> AsyncGenerator[None]:
    """Let go of sessions whose tab was closed, in the event loop of a server that runs.

    Streamlit keeps them for ``server.disconnectedSessionTTL`` seconds, in case that the network was
    down for a moment, and then until somebody else comes.

    Args:
        afterwards: called when some were let go.
    """
    closed = get_instance()._session_mgr._session_storage._cache  # type: ignore[attr-defined]

    async def look() -> None:
        while True:
            expired = closed.expire()
            for _, kept in expired:
                kept.session.shutdown()
            if expired:
                afterwards()
            await asyncio.sleep(_LOOK_EVERY)

    looking = asyncio.create_task(look())
    yield
    looking.cancel()


def upload_sizes() -> dict[str, int]:
    """Bytes of the uploads that each session holds, by its number, the one in their addresses."""
    held = get_instance().uploaded_file_mgr.file_storage  # type: ignore[attr-defined]
    return {
        session: sum(len(file.data) for file in list(files.values()))
        for session, files in list(held.items())
    }


def held_by_session(make: Callable[[], bytes], mime: str, name: str) -> Callable[[], bytes]:
    """A file for ``st.download_button`` that is made on demand and waits until it is fetched.

    Streamlit counts such a file as nobody's. It removes it once two runs of any session's page have
    ended, fetched or not: with many sessions, at once. So the session that draws the button is made
    its holder. Streamlit offers a holder only to files that are made before anyone asks for them.

    Args:
        make: gives the content, without a session.
        mime: type of the file.
        name: of the file.
    """
    session = get_script_run_ctx()

    def hold(data: bytes) -> None:
        get_instance().media_file_mgr.add(
            data, mime, coordinates=name, file_name=name, is_for_static_download=True
        )

    def make_and_hold() -> bytes:
        data = make()
        holder = Thread(target=hold, args=(data,))
        add_script_run_ctx(holder, session)
        holder.start()
        holder.join()
        return data

    return make_and_hold


def is_named(option: str) -> bool:
    """Whether an option has its value from whoever runs the server, be it the usual one.

    Streamlit hands out values, not where they are from.

    Args:
        option: section and name, "secrets.files".
    """
    return streamlit.config.is_manually_set(option)


def component_of_file(script: Path) -> ComponentRenderer:
    """A component whose script the server hands out as a file.

    Streamlit does so for installed packages only, by their manifest. A script that is given as text
    gets an address that begins with blob:, which our pages' content security policy forbids.

    Args:
        script: a module in JavaScript, named after the component.
    """
    name, manager = f"covidct.{script.stem}", get_bidi_component_manager()
    if manager.get_component_asset_root(name) is None:
        served = ComponentConfig(script.stem, script.parent.name)
        manager.register_from_manifest(
            ComponentManifest("covidct", "", [served]), script.parents[1]
        )
    return st.components.v2.component(name, js=script.name, isolate_styles=False)


def open_socket(url: str, http: Session) -> ClientConnection:
    """The websocket over which a browser and the server exchange ``BackMsg`` and ``ForwardMsg``.

    Streamlit has no client but its page in a browser: its messages and this address are its own.

    Args:
        url: of the server, "http://localhost:8501".
        http: has asked the server for something before, which sets the cookie of its token.
    """
    from websockets.sync.client import connect
    from websockets.typing import Origin, Subprotocol

    token = _token(http)
    return connect(
        f"{url.replace('http', 'ws', 1)}/_stcore/stream",
        origin=Origin(url),
        subprotocols=[Subprotocol("streamlit"), Subprotocol(token)],
        additional_headers={"Cookie": "; ".join(f"{c.name}={c.value}" for c in http.cookies)},
        max_size=None,
        ping_interval=None,  # as in a browser; the server's are answered
    )


def xsrf_header(http: Session) -> dict[str, str]:
    """What shows that an upload, or its removal, comes from Streamlit's own page.

    Args:
        http: has asked the server for something before, which sets the cookie of its token.
    """
    return {"X-Xsrftoken": _token(http)}


def _token(http: Session) -> str:
    token = http.cookies[_XSRF_COOKIE]
    assert token is not None  # the server gives none that is empty
    return token
