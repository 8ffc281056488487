"""The HTTP interface: what the server answers to scripts, beside the pages and as they judge.

    POST /api/v1/slices        a line for each slice
    POST /api/v1/series        the same, and a line for each series
    GET  /api/v1/health        whether the model in use can be opened; for anyone
    GET  /api/v1/openapi.json  describes them (OpenAPI 3.1)
    GET  /metrics              figures for Prometheus

Slices wait in the same queue as those on the pages. Threads judge them, so that the server goes on.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CancelScope, CapacityLimiter, Lock, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from covidct.api.asked import pictures_of, uploads_of
from covidct.api.guesses import Guesses
from covidct.api.metrics import CONTENT_TYPE, exposition
from covidct.api.settings import Admission, admission, borne, is_same, metrics_token
from covidct.api.watched import Watched
from covidct.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from covidct.inference.classifier import Classifier

PREFIX = "/api/v1"
DOCUMENT = Path(__file__).with_name("openapi.json")

_AT_JUDGING = 8  # threads at a time; the pages have their own
_NO_STORE = {"Cache-Control": "no-store"}
_WHO = {"WWW-Authenticate": "Bearer"}
_CLOSED = "The HTTP interface of this server is closed. Whoever runs it can give it a token."
_NO_TOKEN = "This needs a token for the HTTP interface: Authorization: Bearer …"
_METRICS_CLOSED = "This server tells no figures. Whoever runs it can give them a token."
_NO_METRICS_TOKEN = "This needs the token for figures: Authorization: Bearer …"
_GUESSED = "Too many wrong tokens came from this address. Wait as long as Retry-After says."
_NO_SLICE = "There is no slice to judge in what was sent."
_NO_MODEL = "No slice can be classified. The Diagnose page says why."
_FAILED = "It failed by an error in the program; see the server's log."
_SENTENCES = {
    404: f"There is nothing at this address. {PREFIX}/openapi.json tells what there is.",
    405: "This address is asked in another way (GET or POST).",
}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Server:
    """What the interface needs of the server that it is part of.

    Attributes:
        secrets: gives Streamlit's; None where they cannot be read.
        classifier: gives the one in use, or raises ModelError.
        uploads: gives the bytes that sessions hold.
        afterwards: called when a request was answered.
    """

    secrets: Callable[[], Mapping[str, Any] | None]
    classifier: Callable[[], Classifier]
    uploads: Callable[[], int]
    afterwards: Callable[[], object]


def routes(server: Server) -> list[BaseRoute]:
    """What answers at the addresses of the interface."""
    interface = _Interface(server)
    versioned = Starlette(
        routes=[
            Route("/slices", interface.slices, methods=["POST"]),
            Route("/series", interface.series, methods=["POST"]),
            Route("/health", interface.health),
            Route("/openapi.json", interface.openapi),
        ],
        middleware=[Middleware(Watched)],
        exception_handlers={
            HTTPException: _refused,
            ModelError: _no_model,
            ClientDisconnect: _gone,
            Exception: _failed,
        },
    )
    return [Mount(PREFIX, versioned), Route("/metrics", interface.metrics)]


class _Interface:
    """The routes, each a method."""

    def __init__(self, server: Server) -> None:
        self._server, self._guesses = server, Guesses()
        self._at_judging, self._at_the_door = CapacityLimiter(_AT_JUDGING), Lock()

    async def slices(self, request: Request) -> Response:
        """A line for each slice."""
        return await self._judge(request, with_series=False)

    async def series(self, request: Request) -> Response:
        """A line for each slice and each series."""
        return await self._judge(request, with_series=True)

    async def health(self, _request: Request) -> Response:
        """Whether slices can be judged; nothing that only those with a token may know."""
        try:
            await to_thread.run_sync(self._server.classifier)
        except ModelError:
            return _error(503, _NO_MODEL)
        return JSONResponse({"status": "ready"}, headers=_NO_STORE)

    async def openapi(self, _request: Request) -> Response:
        """The description of this interface, where it is open."""
        self._admission()
        return FileResponse(DOCUMENT, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """Figures of the server, for who bears the token for them."""
        try:
            token = metrics_token(self._server.secrets())
        except ConfigError:
            token = ""
        if not token:
            return _error(404, _METRICS_CLOSED)
        if seconds := self._guesses.wait(request):
            return _error(429, _GUESSED, _retry_after(seconds))
        if not is_same(given := borne(request.headers), token):
            if given:
                self._guesses.count(request)
            return _error(401, _NO_METRICS_TOKEN, _WHO)
        told = await to_thread.run_sync(exposition, self._server.uploads())
        return Response(told, headers={**_NO_STORE, "Content-Type": CONTENT_TYPE})

    def _admission(self) -> Admission:
        """Who may have slices judged.

        Raises:
            HTTPException: nobody, so it is closed.
        """
        try:
            admitted = admission(self._server.secrets())
        except ConfigError:  # which the log tells at the start
            admitted = Admission()
        if not admitted:
            raise HTTPException(404, _CLOSED)
        return admitted

    async def _require(self, request: Request) -> None:
        """Go on for those alone who may have slices judged.

        Raises:
            HTTPException: this one may not.
        """
        admitted, token = self._admission(), borne(request.headers)
        self._keep_waiting(request)
        if is_same(token, admitted.token):
            return
        if token:
            async with self._at_the_door:  # one after the other, so that each of a burst counts
                self._keep_waiting(request)
                if await to_thread.run_sync(_lets_in, admitted, token):
                    return
                self._guesses.count(request)
        raise HTTPException(401, _NO_TOKEN, _WHO)

    def _keep_waiting(self, request: Request) -> None:
        """Go on for those alone who have not guessed too often.

        Raises:
            HTTPException: this one has.
        """
        if seconds := self._guesses.wait(request):
            raise HTTPException(429, _GUESSED, _retry_after(seconds))

    async def _judge(self, request: Request, *, with_series: bool) -> Response:
        await self._require(request)
        pictures, uploads = pictures_of(request), await uploads_of(request)
        begin = partial(self._begin, uploads, pictures, with_series)
        answer = await to_thread.run_sync(begin, limiter=self._at_judging)
        return _Lines(answer, self._at_judging, self._server.afterwards)

    def _begin(
        self, uploads: list[tuple[str, bytes]], pictures: list[str], with_series: bool
    ) -> Generator[dict[str, Any], None, None]:
        """Sort uploads; the lines, whose slices are judged as they are asked for.

        Raises:
            HTTPException: there is no slice among them.
            ModelError: the model in use cannot be opened.
        """
        # Imported once they are needed, beside the event loop, since this takes a second
        from covidct.api.answers import lines
        from covidct.inference.cases import groups_in

        groups = groups_in(uploads)
        if not any(group.cases for group in groups):
            raise HTTPException(422, _NO_SLICE)
        return lines(self._server.classifier(), groups, pictures, with_series=with_series)


def _retry_after(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def _lets_in(admitted: Admission, token: str) -> bool:
    """Whether a token is one of the provider's, if there is one; may ask it, and wait."""
    if not admitted.audience:
        return False
    from covidct.api.provider import provider

    return provider(admitted.metadata_url, admitted.audience).lets_in(token)


class _Lines(StreamingResponse):
    """An object a line as JSON, made in threads, until all are sent or their reader is gone."""

    def __init__(
        self,
        lines: Generator[dict[str, Any], None, None],
        threads: CapacityLimiter,
        afterwards: Callable[[], object],
    ) -> None:
        super().__init__(self._sent(), media_type="application/x-ndjson", headers=_NO_STORE)
        self._lines, self._threads, self._afterwards = lines, threads, afterwards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._end)

    async def _sent(self) -> AsyncGenerator[str]:
        next_line = partial(next, self._lines, None)
        while (line := await to_thread.run_sync(next_line, limiter=self._threads)) is not None:
            yield json.dumps(line) + "\n"

    def _end(self) -> None:
        self._lines.close()
        self._afterwards()


def _error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, {**_NO_STORE, **(headers or {})})


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # which it is registered for
    is_bare = error.detail in ("Not Found", "Method Not Allowed")
    sentence = _SENTENCES[error.status_code] if is_bare else error.detail
    return _error(error.status_code, sentence, error.headers)


async def _no_model(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ModelError)
    return _error(503, error.message)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Nobody is there to read it."""
    return Response(status_code=400)


async def _failed(_request: Request, _exception: Exception) -> Response:
    return _error(500, _FAILED)
