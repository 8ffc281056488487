"""One file over HTTP, resumed where it broke off, until it is whole and intact."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from covidct.errors import DatasetError, FetchError
from covidct.messages import N_, Message, joined

DOWNLOADING, RETRYING, CHECKING = N_("downloading"), N_("trying again"), N_("checking")

_CHUNK = 8 * 1024  # what a broken connection loses at most
_CONNECT_SECONDS = 10
_MAX_BYTES = 1024**3
_MAX_PAUSE_SECONDS = 30
_MAY_PASS = (408, 425, 429)  # beside every 5xx
_KEPT = N_("What has arrived so far is kept; fetching again goes on from there.")


@dataclass(frozen=True, slots=True)
class Download:
    """How far a fetch has come.

    Attributes:
        file: the file that is at work, by its path upstream.
        received: its bytes on this machine.
        total: its size in bytes, or None where it is not known.
        step: "downloading", "trying again" or "checking".
    """

    file: str
    received: int
    total: int | None
    step: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to put up with a bad connection.

    Attributes:
        stall_seconds: without a byte, after which a connection is given up.
        tries: in a row that bring the file no further.
        pause_seconds: before the second try; each further pause is twice as long.
    """

    stall_seconds: float = 30.0
    tries: int = 5
    pause_seconds: float = 1.0


class _MayPass(FetchError):
    """A failure after which another try may succeed; its text says what went wrong."""


def download(
    url: str,
    to: Path,
    check: Callable[[Path], None],
    report: Callable[[Download], None],
    name: str,
    patience: Patience,
) -> None:
    """Download a file, unless it is there already.

    Until it is whole it is ``to`` with ``.part`` added, which later calls go on with as long as
    the server says by its ETag that the file is still the same (RFC 9110, sections 13.1.5 and 14).
    urllib3's Retry repeats requests but cannot go on within a body, hence the loop here.

    Args:
        url: where it is.
        to: the file to make.
        check: raises DatasetError where the received file is damaged.
        report: called after each piece.
        name: what the file is called in reports and messages.
        patience: with a bad connection.

    Raises:
        FetchError: it cannot be had. What has arrived is kept.
    """
    part = to.with_name(to.name + ".part")
    furthest, failures = _size(part), 0
    while not to.exists():
        try:
            _receive(url, part, report, name, patience)
            report(Download(name, _size(part), _size(part), CHECKING))
            _check(part, check, name)
            part.replace(to)
        except _MayPass as problem:
            failures = 0 if _size(part) > furthest else failures + 1
            furthest = max(furthest, _size(part))
            if failures >= patience.tries:
                raise FetchError(_with_what_is_kept(problem, part)) from problem
            report(Download(name, _size(part), None, RETRYING))
            time.sleep(min(_MAX_PAUSE_SECONDS, patience.pause_seconds * 2 ** max(0, failures - 1)))
    _tag_file(part).unlink(missing_ok=True)


def _with_what_is_kept(problem: _MayPass, part: Path) -> Message:
    if not _size(part):
        return problem.message
    return joined(problem.message, _KEPT)


def _receive(
    url: str, part: Path, report: Callable[[Download], None], name: str, patience: Patience
) -> None:
    """One request, for the rest of the file where a part of it is here."""
    timeouts = (_CONNECT_SECONDS, patience.stall_seconds)
    host = urlsplit(url).hostname
    try:
        with requests.get(url, headers=_headers(part), stream=True, timeout=timeouts) as response:
            _check_status(response, name)
            if response.status_code == 206:
                _check_continues(response, part)
            _store(response, part, report, name)
    except requests.exceptions.SSLError as error:
        raise FetchError(
            N_(
                "The connection to {host} is not secure: its certificate is not trusted here. A "
                "proxy may stand between; ask who runs this network.",
                host=host,
            )
        ) from error
    except (requests.ConnectTimeout, requests.ReadTimeout, requests.ConnectionError) as error:
        if _size(part):
            raise _MayPass(
                N_("The connection to {host} stopped while {name} arrived.", host=host, name=name)
            ) from error
        raise _MayPass(
            N_(
                "{host} cannot be reached: there is no network, or it is blocked here. Connect "
                "this machine, or copy the data set into a folder on it and choose that folder.",
                host=host,
            )
        ) from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise _MayPass(
            N_("The connection to {host} broke off while {name} arrived.", host=host, name=name)
        ) from error
    except requests.RequestException as error:
        raise FetchError(
            N_(
                "{name} cannot be fetched from {host}: {error}",
                name=name,
                host=host,
                error=str(error),
            )
        ) from error


def _headers(part: Path) -> dict[str, str]:
    """Ask for the rest of what is here, if it is known which file that is a part of."""
    headers = {"Accept-Encoding": "identity"}  # a range of a compressed body is of no use
    tag = _tag(part)
    if not _size(part) or not tag:
        return headers
    headers["Range"] = f"bytes={_size(part)}-"
    if not tag.startswith("W/"):  # a weak one never matches here; the answer's is compared below
        headers["If-Range"] = tag
    return headers


def _check_status(response: requests.Response, name: str) -> None:
    status, host = response.status_code, urlsplit(response.url).hostname
    if status in (200, 206, 416):
        return
    if status >= 500 or status in _MAY_PASS:
        raise _MayPass(
            N_("{host} has trouble at the moment (status {status}).", host=host, status=status)
        )
    if status == 404:
        raise FetchError(
            N_(
                "{host} has no {name} any more; the data set may have moved. Fetch it by hand and "
                "choose its folder.",
                host=host,
                name=name,
            )
        )
    raise FetchError(
        N_("{host} refuses to send {name} (status {status}).", host=host, name=name, status=status)
    )


def _check_continues(response: requests.Response, part: Path) -> None:
    """A partial answer must be of the same file and begin where ours ends."""
    begins = response.headers.get("Content-Range", "").startswith(f"bytes {_size(part)}-")
    if not begins or response.headers.get("ETag") != _tag(part):
        part.unlink()
        raise _MayPass(N_("The file on the server has changed while it was fetched."))


def _store(
    response: requests.Response, part: Path, report: Callable[[Download], None], name: str
) -> None:
    """Write the body behind what is here (206) or as a new beginning (200)."""
    if response.status_code == 416:
        part.unlink(missing_ok=True)
        raise _MayPass(N_("The server does not hold what is missing here."))
    continues = response.status_code == 206
    received = _size(part) if continues else 0
    length = response.headers.get("Content-Length", "")
    total = received + int(length) if length.isdecimal() else None
    _tag_file(part).write_text(response.headers.get("ETag", ""), encoding="utf-8")
    with part.open("ab" if continues else "wb") as out:
        report(Download(name, received, total, DOWNLOADING))
        for chunk in response.iter_content(_CHUNK):
            received += out.write(chunk)
            if received > _MAX_BYTES:
                raise FetchError(
                    N_("{name} does not end; the server sends something else.", name=name)
                )
            report(Download(name, received, total, DOWNLOADING))
    if total is not None and received != total:
        raise _MayPass(N_("The connection broke off while {name} arrived.", name=name))


def _check(part: Path, check: Callable[[Path], None], name: str) -> None:
    try:
        check(part)
    except DatasetError as error:
        part.unlink()
        raise _MayPass(
            N_("{name} arrived damaged: {error}", name=name, error=error.message)
        ) from error


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _tag(part: Path) -> str:
    return _tag_file(part).read_text(encoding="utf-8") if _tag_file(part).exists() else ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
