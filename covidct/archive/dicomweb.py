"""A DICOM archive over DICOMweb (PS3.18): searched, read from, written to.

What arrives stays in memory. Neither addresses nor headers, which name patients, reach a log or a
message: whatever goes wrong is said in words of our own.
"""

import logging
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Self

import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from requests import Response

from covidct.archive.settings import ArchiveSettings
from covidct.errors import ConfigError, DICOMwebError
from covidct.messages import N_, Message, joined, ngettext
from covidct.reports.secondary_capture import file_of

MOST_SERIES = 200  # that a search lists
MOST_BYTES = 1024**3  # of a series that is fetched
THUMBNAIL = 96  # pixels a side
MOST_THUMBNAIL_BYTES = 64 * 1024  # of an archive that does not scale

_TIMEOUT = (10, 60)  # seconds to connect, and without a byte
_PIECE = 256 * 1024  # bytes that are taken at once
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_TAIL = 512  # bytes; longer than a closing delimiter
_UID = re.compile(r"[\d.]*\d[\d.]*", re.ASCII)
_UNUSUAL = re.compile(r"[^\w.~*?-]+", re.ASCII)  # what is escaped in an address
_FIELDS = [
    "AccessionNumber",
    "StudyDescription",
    "SeriesDescription",
    "NumberOfSeriesRelatedInstances",
]
_DAY = r"(\d{4})-?(\d\d)-?(\d\d)"
_RANGE = re.compile(rf"{_DAY}(?:-{_DAY})?", re.ASCII)

_NOTHING_KEPT = N_("Nothing of the series was kept.")

# They log addresses, headers and errors that hold them. Set once, for all threads.
for _logger in ("dicomweb_client", "retrying", "urllib3"):
    logging.getLogger(_logger).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Query:
    """What a series has to match; what is empty matches all.

    Attributes:
        patient_id: PatientID; ``*`` and ``?`` stand for others.
        accession_number: AccessionNumber, likewise.
        date: StudyDate, a day or a range, as :func:`date_range` gives it.
        description: a part of SeriesDescription.
    """

    patient_id: str = ""
    accession_number: str = ""
    date: str = ""
    description: str = ""

    def filters(self) -> dict[str, str]:
        """The same as matching keys of QIDO-RS."""
        description = f"*{self.description}*" if self.description else ""
        keys = {
            "PatientID": self.patient_id,
            "AccessionNumber": self.accession_number,
            "StudyDate": self.date,
            "SeriesDescription": description,
        }
        return {key: value.strip() for key, value in keys.items() if value.strip()}


@dataclass(frozen=True, slots=True)
class ArchivedSeries:
    """What an archive tells of a series.

    Attributes:
        series: its SeriesInstanceUID.
        study: its StudyInstanceUID.
        patient_id: PatientID.
        modality: such as "CT"; converters write others.
        date: StudyDate as YYYY-MM-DD, or empty.
        description: SeriesDescription, or that of the study.
        slices: how many objects it holds; None where the archive does not count.
        number: SeriesNumber, or empty.
    """

    series: str
    study: str
    patient_id: str
    modality: str
    date: str
    description: str
    slices: int | None
    number: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """What an archive said to objects that were sent.

    Attributes:
        stored: how many it stored.
        sent: how many it was sent.
        reasons: FailureReason of those that it refused, in hexadecimal as PS3.18 lists them.
    """

    stored: int
    sent: int
    reasons: tuple[str, ...] = ()

    def and_of(self, one: Dataset, answer: Dataset) -> "Stored":
        """The same with the answer of STOW-RS to one more object.

        FailedSOPSequence can be there and empty, and an answer may name neither.
        """
        kept = answer.get("ReferencedSOPSequence") or ()
        is_kept = one.SOPInstanceUID in {item.get("ReferencedSOPInstanceUID") for item in kept}
        failed = answer.get("FailedSOPSequence") or ()
        reasons = (f"{int(item.get('FailureReason') or 0):04X}" for item in failed)
        return Stored(
            self.stored + is_kept,
            self.sent + 1,
            tuple(dict.fromkeys((*self.reasons, *reasons))),
        )

    @property
    def is_whole(self) -> bool:
        """Whether all was stored."""
        return self.stored == self.sent

    @property
    def sentence(self) -> Message:
        """The same for a person."""
        if self.is_whole:
            return ngettext(
                "The archive stored the object.",
                "The archive stored all {count} objects.",
                self.sent,
            )
        said = N_(
            "The archive stored {stored} of {sent} objects.", stored=self.stored, sent=self.sent
        )
        if not self.reasons:
            return joined(said, N_("It did not say why."))
        return joined(
            said, N_("Its reasons, by their DICOM codes: {codes}.", codes=", ".join(self.reasons))
        )


def date_range(text: str) -> str:
    """A day or two days with a hyphen between, each YYYY-MM-DD or YYYYMMDD, as DICOM has them.

    Raises:
        ConfigError: the text is none of that.
    """
    match = _RANGE.fullmatch(text.strip())
    if not match:
        raise ConfigError(
            N_("A date is a day, 2026-01-31, or two with a hyphen between, 20260101-20260131.")
        )
    digits = "".join(filter(None, match.groups()))
    return "-".join(filter(None, (digits[:8], digits[8:])))


class Archive:
    """An archive that was named by whoever runs this program.

    Args:
        settings: where it is.
        timeout: seconds to connect, and without a byte.

    Every method raises DICOMwebError where the archive cannot be reached, refuses, or answers
    something else than DICOMweb.
    """

    def __init__(self, settings: ArchiveSettings, timeout: tuple[float, float] = _TIMEOUT) -> None:
        session = _Session()
        session.max_redirects = 0  # what is asked for names patients, and is for nobody else
        if settings.user:
            session.auth = (settings.user, settings.password)
        self._host = settings.host
        self._client = _Client(
            settings.url, session, chunk_size=_PIECE, permissive_uid=True, timeout=timeout
        )
        self._client.set_http_retry_params(retry=False)

    def search(self, query: Query, most: int = MOST_SERIES) -> tuple[list[ArchivedSeries], bool]:
        """So many series that match, newest first, and whether there are more."""
        found = self._series(query.filters(), most + 1)
        found.sort(key=lambda one: (one.date, one.study, one.description), reverse=True)
        return found[:most], len(found) > most

    def find(self, uid: str) -> ArchivedSeries:
        """The series of a SeriesInstanceUID.

        Raises:
            DICOMwebError: there is none.
        """
        found = self._series({"SeriesInstanceUID": uid}, 1) if _UID.fullmatch(uid) else []
        if not found or found[0].series != uid:
            raise DICOMwebError(N_("The archive holds no series of this UID."))
        return found[0]

    def of_patient(self, patient_id: str, modality: str) -> list[ArchivedSeries]:
        """The series of a patient, of one modality."""
        filters = {"PatientID": patient_id, "Modality": modality}
        return [
            one
            for one in self._series({key: value for key, value in filters.items() if value})
            if (one.patient_id, one.modality) == (patient_id, modality)
        ]

    def instance_numbers(self, found: ArchivedSeries) -> list[str]:
        """InstanceNumber of each object of a series, empty where there is none."""
        with _in_plain_words(self._host):
            listed = self._client.search_for_instances(
                found.study, found.series, fields=["InstanceNumber"]
            )
            return [_text(one, "InstanceNumber") for one in _entries(listed)]

    def fetch(self, found: ArchivedSeries, most: int = MOST_BYTES) -> Iterator[bytes]:
        """The objects of a series as files, as they are stored, one after the other.

        Args:
            found: the series.
            most: bytes that it may take.

        Raises:
            DICOMwebError: also where it takes more, or the answer breaks off.
        """
        with _in_plain_words(self._host, _NOTHING_KEPT):
            yield from self._client.iter_series_files(found.study, found.series, most)

    def thumbnail(self, found: ArchivedSeries) -> bytes:
        """A small picture of a slice from the middle of a series, as the archive renders it."""
        with _in_plain_words(self._host):
            listed = self._client.search_for_instances(
                found.study, found.series, limit=1, offset=(found.slices or 1) // 2
            )
            (instance,) = _entries(listed)
            rendered = self._client.retrieve_instance_rendered(
                found.study,
                found.series,
                _uid(instance, "SOPInstanceUID"),
                ("image/jpeg",),
                {"viewport": f"{THUMBNAIL},{THUMBNAIL}"},
            )
            if len(rendered) > MOST_THUMBNAIL_BYTES:
                raise ValueError
            return rendered

    def store(self, objects: Iterable[Dataset]) -> Generator[Stored, None, None]:
        """Send objects one after the other, so that it is known which were stored.

        They are sent as files with preamble, which the library leaves out unless it has read one:
        archives store such files and cannot serve them any more.

        Args:
            objects: without their files' meta information or with it.

        Yields:
            What the archive has said so far, after each object.
        """
        told = Stored(0, 0)
        for one in objects:
            with _in_plain_words(self._host, _kept_of(told)):
                try:
                    answer = self._client.store_instances([dcmread(BytesIO(file_of(one)))])
                except requests.HTTPError as error:
                    answer = _answer_to_refused(error)
                told = told.and_of(one, answer)
            yield told

    def _series(self, filters: dict[str, str], limit: int | None = None) -> list[ArchivedSeries]:
        asked = {key: _UNUSUAL.sub("*", value) for key, value in filters.items()}
        inexact = [key for key in filters if asked[key] != filters[key]]
        with _in_plain_words(self._host):
            listed = self._client.search_for_series(
                limit=limit, fields=_FIELDS, search_filters=asked
            )
            return [
                _archived(one)
                for one in _entries(listed)
                if all(_matches(_text(one, key), filters[key]) for key in inexact)
            ]


class _Session(requests.Session):
    """Leaves what a query may hold as it is, since not every archive undoes what is escaped."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        url = str(request.url)
        for escaped, plain in (("%2A", "*"), ("%2C", ","), ("%3F", "?")):
            url = url.replace(escaped, plain)
        request.url = url
        return super().prepare_request(request)


class _Client(DICOMwebClient):
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

    response: Response
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
                        _NOTHING_KEPT,
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


def _kept_of(told: Stored) -> Message:
    """What became of objects before one of them failed."""
    return N_(
        "{stored} objects were stored before; whether this one was is not known. Look into the "
        "archive before you send again.",
        stored=told.stored,
    )


@contextmanager
def _in_plain_words(host: str, kept: str = "") -> Iterator[None]:
    """Turn what goes wrong on the way to an archive and back into a sentence.

    The exceptions of requests hold addresses, so they are neither chained nor logged.

    Args:
        host: what the archive is called.
        kept: what became of the work, for whoever reads on.
    """
    try:
        yield
        return
    except requests.exceptions.SSLError:
        said = N_(
            "The connection to the archive {host} is not secure: its certificate is not trusted "
            "here. REQUESTS_CA_BUNDLE may name the certificate of your hospital’s own authority.",
            host=host,
        )
    except requests.TooManyRedirects:
        said = N_(
            "The archive {host} sends on to another address, which is not followed. Whoever runs "
            "this program can name that address.",
            host=host,
        )
    except requests.HTTPError as error:
        said = _refusal(host, 0 if error.response is None else error.response.status_code)
    except requests.Timeout:
        said = N_("The archive {host} does not answer in time. Try again later.", host=host)
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        said = N_(
            "The connection to the archive {host} failed or broke off. Try again; if it stays so, "
            "ask who runs the archive.",
            host=host,
        )
    except (requests.RequestException, KeyError, ValueError):
        said = N_(
            "What answers at {host} does not speak DICOMweb as an archive does. Whoever runs this "
            "program should look at the archive’s address.",
            host=host,
        )
    raise DICOMwebError(joined(said, kept) if kept else said) from None


def _refusal(host: str, status: int) -> Message:
    if status in (401, 403):
        return N_(
            "The archive {host} does not let this program in (status {status}). Whoever runs it "
            "should look at the archive’s user and password.",
            host=host,
            status=status,
        )
    if status == 404:
        return N_("The archive {host} does not have what was asked for.", host=host)
    if status == 429 or status >= 500:
        return N_(
            "The archive {host} has trouble at the moment (status {status}). Try again later.",
            host=host,
            status=status,
        )
    return N_(
        "The archive {host} refuses what was asked for (status {status}).", host=host, status=status
    )


def _entries(listed: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401
    """The data sets of an answer in DICOM JSON (PS3.18, annex F).

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise ValueError
    return listed


def _text(entry: Mapping[str, Any], keyword: str) -> str:
    """The first value of an element as text, empty where there is none."""
    element = entry.get(f"{tag_for_keyword(keyword):08X}")
    values = element.get("Value") if isinstance(element, Mapping) else None
    first = values[0] if isinstance(values, list) and values else None
    return "" if first is None else str(first).strip()


def _matches(value: str, pattern: str) -> bool:
    """Whether a value is what was asked for, by the wildcards of PS3.4 section C.2.2.2.4."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.IGNORECASE | re.DOTALL) is not None


def _uid(entry: Mapping[str, Any], keyword: str) -> str:
    """A UID that may become a part of an address.

    Raises:
        ValueError: it is none.
    """
    uid = _text(entry, keyword)
    if not _UID.fullmatch(uid):
        raise ValueError
    return uid


def _archived(entry: Mapping[str, Any]) -> ArchivedSeries:
    day = re.fullmatch(_DAY, _text(entry, "StudyDate"))
    slices = _text(entry, "NumberOfSeriesRelatedInstances")
    return ArchivedSeries(
        _uid(entry, "SeriesInstanceUID"),
        _uid(entry, "StudyInstanceUID"),
        _text(entry, "PatientID"),
        _text(entry, "Modality"),
        "-".join(day.groups()) if day else "",
        _text(entry, "SeriesDescription") or _text(entry, "StudyDescription"),
        int(slices) if slices.isdecimal() else None,
        _text(entry, "SeriesNumber"),
    )


def _answer_to_refused(error: requests.HTTPError) -> Dataset:
    """The data set that says which objects were refused, where there is one (PS3.18, 10.5.3)."""
    try:
        answer = Dataset.from_json(error.response.json() if error.response is not None else {})
    except (ValueError, TypeError, AttributeError, KeyError):
        raise error from None
    if not answer.get("FailedSOPSequence"):  # it can be there and empty
        raise error
    return answer
