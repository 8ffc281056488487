"""A series from the archive as files in memory, before they are sorted and judged."""

from collections.abc import Generator, Sequence

from covidct.archive.dicomweb import MOST_BYTES, Archive
from covidct.archive.listed import ArchivedSeries
from covidct.imaging.dicom.grouping import are_alike
from covidct.messages import N_, Message

_NAME = "archive/{number:04d}.dcm"  # no identifier, since names reach tables and reports


def parts_of(archive: Archive, found: ArchivedSeries) -> list[ArchivedSeries]:
    """The series, and those that are one scan with it although their UIDs differ.

    Converters cut a scan where a second ends, studies too; by the rule of
    :func:`covidct.imaging.gather.gather` the parts have UIDs that differ in one component,
    patient and number in common, and no instance number twice.

    Raises:
        DICOMwebError: the archive cannot be asked.
    """
    if not found.patient_id or not found.number:
        return [found]
    others = [
        one
        for one in archive.of_patient(found.patient_id, found.modality)
        if one.number == found.number and are_alike(one.series, found.series)
    ]
    parts, taken = [found], set(archive.instance_numbers(found) if others else ())
    for other in others:
        numbers = archive.instance_numbers(other)
        if taken.isdisjoint(numbers):
            parts.append(other)
            taken.update(numbers)
    return parts


def fetch(
    archive: Archive, parts: Sequence[ArchivedSeries]
) -> Generator[tuple[str, bytes], None, None]:
    """Names and contents of the objects of a scan, as an upload would have them.

    Args:
        archive: that holds them.
        parts: the series of one scan.

    Raises:
        DICOMwebError: the archive does not send all of it, or more than `MOST_BYTES`.
    """
    number, left = 0, MOST_BYTES
    for part in parts:
        for data in archive.fetch(part, left):
            number += 1
            left -= len(data)
            yield _NAME.format(number=number), data


def expected(parts: Sequence[ArchivedSeries]) -> int | None:
    """How many objects should come; None where the archive does not count."""
    counts = [part.slices for part in parts]
    return None if None in counts else sum(filter(None, counts))


def shortfall(parts: Sequence[ArchivedSeries], received: int) -> Message | None:
    """What to say where fewer objects came than the archive lists."""
    listed = expected(parts)
    if listed is None or received >= listed:
        return None
    return N_(
        "The archive lists {listed} objects of this series and sent {received}. The verdict is on "
        "those that came; ask who runs the archive for the rest.",
        listed=listed,
        received=received,
    )
