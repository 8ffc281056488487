"""An app without a server before it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from starlette.types import ASGIApp


def answer(app: ASGIApp, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """Status and content of the answer to a request that brings nothing."""
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": given}
    sent = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b""}

    async def send(message: dict) -> None:
        sent.append(message)

    whole = {**scope, "query_string": b"", "root_path": ""}
    with ThreadPoolExecutor() as pool:  # this thread may have Playwright's event loop
        pool.submit(asyncio.run, app(whole, receive, send)).result()
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)
