"""An app without a server before it."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from starlette.types import ASGIApp


def answer(app: ASGIApp, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """Status and content of the answer to a request that brings nothing."""
    (one,) = answers(app, 1, path, method, **headers)
    return one


def answers(
    app: ASGIApp, times: int, path: str, method: str = "GET", **headers: str
) -> list[tuple[int, bytes]]:
    """The same of as many such requests at once."""

    async def ask() -> list[tuple[int, bytes]]:
        return await asyncio.gather(*(_answer(app, path, method, headers) for _ in range(times)))

    with ThreadPoolExecutor() as pool:  # this thread may have Playwright's event loop
        return pool.submit(asyncio.run, ask()).result()


async def _answer(
    app: ASGIApp, path: str, method: str, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": given}
    sent = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b""}

    async def send(message: dict) -> None:
        sent.append(message)

    whole = {**scope, "query_string": b"", "root_path": ""}
    await app(whole, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)
