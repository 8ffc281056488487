"""What an archive lists, in DICOM JSON (PS3.18, annex F)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import tag_for_keyword

from covidct.archive.query import DAY

UID = re.compile(r"[\d.]*\d[\d.]*", re.ASCII)


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


def archived_series(entry: Mapping[str, Any]) -> ArchivedSeries:
    """The series that an entry describes.

    Raises:
        ValueError: it has no UIDs.
    """
    day = re.fullmatch(DAY, text(entry, "StudyDate"))
    slices = text(entry, "NumberOfSeriesRelatedInstances")
    return ArchivedSeries(
        uid(entry, "SeriesInstanceUID"),
        uid(entry, "StudyInstanceUID"),
        text(entry, "PatientID"),
        text(entry, "Modality"),
        "-".join(day.groups()) if day else "",
        text(entry, "SeriesDescription") or text(entry, "StudyDescription"),
        int(slices) if slices.isdecimal() else None,
        text(entry, "SeriesNumber"),
    )


def entries(listed: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401
    """The data sets of an answer in DICOM JSON (PS3.18, annex F).

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise ValueError
    return listed


def text(entry: Mapping[str, Any], keyword: str) -> str:
    """The first value of an element as text, empty where there is none."""
    element = entry.get(f"{tag_for_keyword(keyword):08X}")
    values = element.get("Value") if isinstance(element, Mapping) else None
    first = values[0] if isinstance(values, list) and values else None
    return "" if first is None else str(first).strip()


def uid(entry: Mapping[str, Any], keyword: str) -> str:
    """A UID that may become a part of an address.

    Raises:
        ValueError: it is none.
    """
    found = text(entry, keyword)
    if not UID.fullmatch(found):
        raise ValueError
    return found
