"""Sessions hold so much and no more, and what a closed one held is given back without a visitor."""

import asyncio
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from app_server import serve
from patience import SECONDS
from starlette.responses import PlainTextResponse

from covidct.benchmark.visitor import open_tab
from covidct.ui.guard import RoomForUploads

MEGABYTE = 2**20


@pytest.fixture
def app():
    """A server that keeps what it is sent, 1000 bytes a session and 1500 in all."""
    held: dict[str, int] = {}

    async def keep(scope, receive, send):
        session = scope["path"].split("/")[3]
        held[session] = held.get(session, 0) + len((await receive())["body"])
        await PlainTextResponse("kept")(scope, receive, send)

    return RoomForUploads(keep, lambda: held, a_session=1000, in_all=1500)


async def status(app, method, path, size, *, says=True):
    """Status of the answer to what brings so many bytes."""
    length = [(b"content-length", str(size).encode())] if says else []
    sent = []

    async def receive():
        return {"type": "http.request", "body": bytes(size)}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": length}
    await app(scope, receive, send)
    return sent[0]["status"]


def run(asked):
    """What is asked for, in an event loop of its own, as this thread may have Playwright's."""
    with ThreadPoolExecutor() as pool:
        return pool.submit(asyncio.run, asked).result()


def put(app, session, size, **options):
    """Status of the answer to an upload."""
    return run(status(app, "PUT", f"/_stcore/upload_file/{session}/file", size, **options))


def test_uploads_are_refused_beyond_the_room_of_a_session_and_of_all(app):
    assert put(app, "a", 600) == 200
    assert put(app, "a", 401) == 413
    assert put(app, "a", 400) == 200
    assert put(app, "b", 501) == 413
    assert put(app, "b", 500) == 200
    assert put(app, "c", 1) == 413


def test_an_upload_of_unknown_length_is_refused(app):
    assert put(app, "a", 3, says=False) == 411


def test_what_scripts_send_takes_room_until_it_is_answered():
    meanwhile = []

    async def answer(scope, receive, send):
        if not meanwhile:
            meanwhile.append(0)
            meanwhile[0] = await status(app, "POST", "/api/v1/slices", 600)
        await PlainTextResponse("judged")(scope, receive, send)

    app = RoomForUploads(answer, dict, a_session=1000, in_all=1500)
    assert run(status(app, "POST", "/api/v1/slices", 1000)) == 200
    assert meanwhile == [413]
    assert run(status(app, "POST", "/api/v1/series", 600)) == 200
    assert run(status(app, "POST", "/api/v1/series", 1001)) == 413
    assert run(status(app, "POST", "/api/v1/series", 3, says=False)) == 411


def test_closed_sessions_are_given_back_though_nobody_comes(tmp_path, root):
    settings = tomllib.loads((Path(root) / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["disconnectedSessionTTL"] < 10  # seconds
    with serve(tmp_path) as server:
        memory = psutil.Process(server.process.pid).memory_info
        with open_tab(server.url) as tab:
            tab.accept_notice()
        before = memory().rss
        with ExitStack() as tabs:
            for number in range(4):
                tab = tabs.enter_context(open_tab(server.url)).accept_notice()
                name = f"{number}.bin"
                tab.put(tab.upload_place(name), name, bytes([number]) * 60 * MEGABYTE)
            assert memory().rss - before > 200 * MEGABYTE
        until = time.monotonic() + SECONDS
        while memory().rss - before > 60 * MEGABYTE and time.monotonic() < until:
            time.sleep(0.2)
        assert memory().rss - before <= 60 * MEGABYTE
