"""What the server answers at all, and what it tells browsers to keep to.

A page of another site can make its visitor's browser send requests to this server: by a websocket,
to which no same-origin policy applies, or by a name of its own that it lets point here (DNS
rebinding), which makes both one site. So a request has to name this server as its browsers do, and
one that says where it comes from has to come from this very server. Streamlit's own check lets in
whoever bears the address of this machine, and asks the internet for it.

    COVIDCT_HOSTS=covidct.example.org        names beside this machine's own, separated by commas
    COVIDCT_FRAMED_BY=https://example.org    sites that may show the pages in a frame, by blanks

Where the environment cannot be set, they may stand at the top of Streamlit's secrets.
"""

import os
import re
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from covidct.api.routes import PREFIX
from covidct.messages import N_
from covidct.ui import access
from covidct.ui.streamlit_internals import upload_sizes

HOSTS_VARIABLE = "COVIDCT_HOSTS"
FRAMED_BY_VARIABLE = "COVIDCT_FRAMED_BY"
SCRIPT = Path(__file__).with_name("main.py")

_HOST = re.compile(r"(?P<name>[\w.-]+|\[[\da-f:.]+\])(:\d+)?", re.ASCII | re.IGNORECASE)
_MEDIA = "/media/"  # pictures and files to download, as Streamlit serves them
# The one script that stands in Streamlit's page itself, window.prerenderReady = false
_INLINE_SCRIPT = "'sha256-THxz9J9+wf7rhwR2YkXJoSZ13UCmYyC+3lNDv2+8ugA='"
_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/")
_API = f"{PREFIX}/"
_FIGURES = "/_stcore/metrics"
_ELSEWHERE = N_("Figures are at /metrics, for who bears the token for them.")
_NO_LENGTH = N_("The upload does not say how long it is.")
_NO_ROOM = N_(
    "There is no room for this upload: remove files from the page, or come back when fewer people "
    "use the server."
)
_A_SESSION = 1024**3  # bytes; twice the largest file
_POLICY = (
    "default-src 'self'; script-src 'self' {script}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {framed_by}"
)


class OwnSiteOnly:
    """Refuses what is addressed to another name or comes from a page of another site.

    Args:
        app: answers what is let in.
        hosts: names of this server, beside those of the machine that it runs on.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] in ("http", "websocket") and (refusal := self._refusal(scope)):
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            unknown = N_(
                "This server is not known by that name. Whoever runs it can add the name to "
                "{variable}.",
                variable=HOSTS_VARIABLE,
            )
            return _refused(scope, unknown, 400)
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return _refused(scope, N_("Pages of other sites are not answered."), 403)
        return None

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if not match:
            return False
        name = match["name"].lower().strip("[]").removesuffix(".")
        if name in self._hosts or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False


class RoomForUploads:
    """Refuses uploads beyond what one session, or all of them together, may hold in memory.

    A request to the HTTP interface holds what it brings until it is answered.

    Args:
        app: answers what there is room for.
        held: bytes that each session holds, by its number.
        a_session: bytes for each, and for each request to the interface.
        in_all: bytes for all of them.
    """

    def __init__(
        self, app: ASGIApp, held: Callable[[], dict[str, int]], a_session: int, in_all: int
    ) -> None:
        self._app, self._held, self._a_session, self._in_all = app, held, a_session, in_all
        self._arriving: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse an upload."""
        holder = _holder(scope)
        if not holder:
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal():
            await _refused(scope, _NO_LENGTH, 411)(scope, receive, send)
            return
        held, size = Counter(self._held()) + self._arriving, int(length)
        if held[holder] + size > self._a_session or held.total() + size > self._in_all:
            await _refused(scope, _NO_ROOM, 413)(scope, receive, send)
            return
        self._arriving[holder] += size
        try:
            await self._app(scope, receive, send)
        finally:
            self._arriving -= Counter({holder: size})


def _holder(scope: Scope) -> str:
    """Who will hold what a request brings, if it is an upload: a session, or the request itself."""
    if scope["type"] != "http":
        return ""
    if scope["method"] == "POST" and scope["path"].startswith(_API):
        return f"request {id(scope)}"
    session = _UPLOAD.search(scope["path"]) if scope["method"] == "PUT" else None
    return session[1] if session else ""


def _refused(scope: Scope, sentence: str, status: int) -> Response:
    """A refusal as people read it, or as scripts do."""
    if scope["path"].startswith(_API):
        return JSONResponse({"error": sentence}, status)
    return PlainTextResponse(sentence, status)


class NoFiguresOfStreamlit:
    """Keeps back how many sessions there are, which Streamlit tells anyone and has no option for.

    Args:
        app: answers everything else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say where figures are."""
        is_asked = scope["type"] == "http" and scope["path"].endswith(_FIGURES)
        await (_refused(scope, _ELSEWHERE, 404) if is_asked else self._app)(scope, receive, send)


class CarefulHeaders:
    """Tells browsers what the pages may load, who may frame them, and what not to keep.

    Args:
        app: answers.
        framed_by: sites that may show the pages in a frame.
    """

    def __init__(self, app: ASGIApp, framed_by: str) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": _POLICY.format(
                script=_INLINE_SCRIPT, framed_by=framed_by or "'none'"
            ),
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with these headers on it."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if _MEDIA in scope["path"]:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, with_headers)


def guards() -> list[Middleware]:
    """What stands before the pages, the outermost first."""
    access.secrets()  # Streamlit adds what stands at their top to the environment
    hosts = os.environ.get(HOSTS_VARIABLE, "").lower().split(",")
    return [
        Middleware(CarefulHeaders, framed_by=os.environ.get(FRAMED_BY_VARIABLE, "")),
        Middleware(OwnSiteOnly, hosts=frozenset(host.strip() for host in hosts) - {""}),
        Middleware(NoFiguresOfStreamlit),
        Middleware(
            RoomForUploads,
            held=upload_sizes,
            a_session=_A_SESSION,
            in_all=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2,
        ),
    ]
