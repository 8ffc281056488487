"""Requests to the interface, counted and told in the log: what for, how it ended, how long it took.

Neither addresses nor names are: of an address only which of the known routes it is.
"""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from covidct.telemetry import REQUESTS

_UNKNOWN, _HEALTH = "unknown", "health"
_LOG = logging.getLogger(__name__)


class Watched:
    """Counts what an app answers.

    Args:
        app: whose endpoints are functions or methods.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("endpoint"), "__name__", _UNKNOWN)
            REQUESTS.labels(route, status).inc()
            told = {"route": route, "status": status}
            seconds = round(time.monotonic() - started, 3)
            level = logging.DEBUG if route == _HEALTH else logging.INFO  # asked for all the time
            _LOG.log(level, "answered", extra={"figures": {**told, "seconds": seconds}})
