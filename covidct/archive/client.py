"""The library's DICOMweb client, told to keep to itself what names patients.

Neither addresses nor headers, which do, reach a log, and no redirection is followed.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

import requests
from dicomweb_client import DICOMwebClient

from covidct.archive.settings import ArchiveSettings
from covidct.errors import DICOMwebError
from covidct.messages import N_, joined

NOTHING_KEPT = N_("Nothing of the series was kept.")

_PIECE = 256 * 1024  # bytes that are taken at once
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_TAIL = 512  # bytes; longer than a closing delimiter

# They log addresses, headers and errors that hold them. Set once, for all threads.
for _logger in ("dicomweb_client", "retrying", "urllib3"):
    logging.getLogger(_logger).setLevel(logging.CRITICAL)


def open_client(settings: ArchiveSettings, timeout: tuple[float, float]) -> "Client":
    """A client of an archive.

    Args:
        settings: where it is.
        timeout: seconds to connect, and without a byte.
    """
    session = _Session()
    session.headers["Accept"] = "application/dicom+json"  # of STOW-RS, which else answers in XML
    session.max_redirects = 0  # what is asked for names patients, and is for nobody else
    if settings.user:
        session.auth = (settings.user, settings.password)
    client = Client(settings.url, session, chunk_size=_PIECE, permissive_uid=True, timeout=timeout)
    client.set_http_retry_params(retry=False)
    return client


class _Session(requests.Session):
    """Leaves what a query may hold as it is, since not every archive undoes what is escaped."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        url = str(request.url)
        for escaped, plain in (("%2A", "*"), ("%2C", ","), ("%3F", "?")):
            url = url.replace(escaped, plain)
        request.url = url
        return super().prepare_request(request)


class Client(DICOMwebClient):
    """The library's client, which gives objects as the files that they are, too.

    It parses what it retrieves by pydicom, which refuses files without preamble and others that
    are read here. `_http_get` and `_decode_multipart_message` are not public, so requirements.txt
    ends the range of the library before its next minor version.
    """

    def iter_series_files(self, study: str, series: str, most: int) -> Iterator[bytes]:
        """The files of a series in the transfer syntaxes in which they are stored."""
        response = self._http_get(
            f"{self.base_url}/studies/{study}/series/{series}",
            headers={"Accept": _AS_STORED},
            stream=True,
        )
        with closing(response):
            body = _Body(response, most)
            try:
                yield from map(bytes, self._decode_multipart_message(body, stream=True))  # type: ignore[arg-type]
            except ValueError:
                if not body.has_begun:  # it is no multipart answer
                    raise
            if not body.is_whole:
                raise requests.ConnectionError


@dataclass(slots=True)
class _Body:
    """A multipart answer that is read up to a limit, and of which is known whether it ended."""

    response: requests.Response
    most: int
    _tail: bytes = field(default=b"", init=False)

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    def iter_content(self, chunk_size: int) -> Iterator[bytes]:
        received = 0
        for chunk in self.response.iter_content(chunk_size):
            received += len(chunk)
            if received > self.most:
                raise DICOMwebError(
                    joined(
                        N_(
                            "The series takes more than {most} MB, which is what is fetched at "
                            "most.",
                            most=self.most // 1024**2,
                        ),
                        NOTHING_KEPT,
                    )
                )
            self._tail = (self._tail + chunk)[-_TAIL:]
            yield chunk

    @property
    def has_begun(self) -> bool:
        """Whether a byte of it came."""
        return bool(self._tail)

    @property
    def is_whole(self) -> bool:
        """Whether the delimiter came that closes the last part (RFC 2046, section 5.1.1)."""
        return self._tail.rstrip().endswith(b"--")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
