"""A DICOM archive over DICOMweb (PS3.18): searched, read from, written to, all in memory."""

from collections.abc import Generator, Iterable, Iterator
from io import BytesIO

import requests
from pydicom import Dataset, dcmread

from covidct.archive.client import NOTHING_KEPT, open_client
from covidct.archive.faults import in_plain_words
from covidct.archive.listed import UID, ArchivedSeries, archived_series, entries, text, uid
from covidct.archive.query import Query, asked, matches
from covidct.archive.settings import ArchiveSettings
from covidct.archive.stored import Stored, answer_to_refused
from covidct.errors import DICOMwebError
from covidct.messages import N_, Message
from covidct.reports.secondary_capture import file_of

MOST_SERIES = 200  # that a search lists
MOST_BYTES = 1024**3  # of a series that is fetched
THUMBNAIL = 96  # pixels a side
MOST_THUMBNAIL_BYTES = 64 * 1024  # of an archive that does not scale

_TIMEOUT = (10, 60)  # seconds to connect, and without a byte
_FIELDS = [
    "AccessionNumber",
    "StudyDescription",
    "SeriesDescription",
    "NumberOfSeriesRelatedInstances",
]


class Archive:
    """An archive that was named by whoever runs this program.

    Args:
        settings: where it is.
        timeout: seconds to connect, and without a byte.

    Attributes:
        host: of its address.

    Every method raises DICOMwebError where the archive cannot be reached, refuses, or answers
    something else than DICOMweb.
    """

    def __init__(self, settings: ArchiveSettings, timeout: tuple[float, float] = _TIMEOUT) -> None:
        self.host = settings.host
        self._client = open_client(settings, timeout)

    def search(self, query: Query, most: int = MOST_SERIES) -> tuple[list[ArchivedSeries], bool]:
        """So many series that match, newest first, and whether there are more."""
        found = self._series(query.filters(), most + 1)
        found.sort(key=lambda one: (one.date, one.study, one.description), reverse=True)
        return found[:most], len(found) > most

    def find(self, series_uid: str) -> ArchivedSeries:
        """The series of a SeriesInstanceUID.

        Raises:
            DICOMwebError: there is none.
        """
        if UID.fullmatch(series_uid):
            for one in self._series({"SeriesInstanceUID": series_uid}):
                if one.series == series_uid:
                    return one
        raise DICOMwebError(N_("The archive holds no series of this UID."))

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
        with in_plain_words(self.host):
            listed = self._client.search_for_instances(
                found.study, found.series, fields=["InstanceNumber"]
            )
            return [text(one, "InstanceNumber") for one in entries(listed)]

    def fetch(self, found: ArchivedSeries, most: int = MOST_BYTES) -> Iterator[bytes]:
        """The objects of a series as files, as they are stored, one after the other.

        Args:
            found: the series.
            most: bytes that it may take.

        Raises:
            DICOMwebError: also where it takes more, or the answer breaks off.
        """
        with in_plain_words(self.host, NOTHING_KEPT):
            yield from self._client.iter_series_files(found.study, found.series, most)

    def thumbnail(self, found: ArchivedSeries) -> bytes:
        """A small picture of a slice from the middle of a series, as the archive renders it."""
        with in_plain_words(self.host):
            listed = self._client.search_for_instances(
                found.study, found.series, limit=1, offset=(found.slices or 1) // 2
            )
            (instance,) = entries(listed)
            rendered = self._client.retrieve_instance_rendered(
                found.study,
                found.series,
                uid(instance, "SOPInstanceUID"),
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
            with in_plain_words(self.host, _kept_of(told)):
                try:
                    answer = self._client.store_instances([dcmread(BytesIO(file_of(one)))])
                except requests.HTTPError as error:
                    answer = answer_to_refused(error)
                told = told.and_of(one, answer)
            yield told

    def _series(self, filters: dict[str, str], limit: int | None = None) -> list[ArchivedSeries]:
        plain = {key: asked(value) for key, value in filters.items()}
        inexact = [key for key in filters if plain[key] != filters[key]]
        with in_plain_words(self.host):
            listed = self._client.search_for_series(
                limit=limit, fields=_FIELDS, search_filters=plain
            )
            return [
                archived_series(one)
                for one in entries(listed)
                if all(matches(text(one, key), filters[key]) for key in inexact)
            ]


def _kept_of(told: Stored) -> Message:
    """What became of objects before one of them failed."""
    return N_(
        "{stored} objects were stored before; whether this one was is not known. Look into the "
        "archive before you send again.",
        stored=told.stored,
    )
