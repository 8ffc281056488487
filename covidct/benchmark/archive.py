"""A series from a DICOM archive to its verdict, against fetching and judging it alone."""

from covidct.archive.dicomweb import Archive
from covidct.archive.fetch import fetch, parts_of
from covidct.benchmark.process import run_python
from covidct.benchmark.timing import seconds
from covidct.inference.cases import CaseGroup, groups_in
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Judged, judge

_COMMAND = ("-m", "covidct", "archive", "classify", "--series")


def measure_archive(archive: Archive, uid: str, classifier: Classifier) -> dict[str, float]:
    """Seconds from a UID to the verdict on its series, and of the parts that it cannot do without;
    peak memory of the command that does it.

    Args:
        archive: the one that the environment names; a local one, or its network is what is
            measured.
        uid: SeriesInstanceUID.
        classifier: is asked for a verdict once before.

    Raises:
        CalledProcessError: the command refused a slice.
        DICOMwebError: the archive does not send the series.
    """
    found = archive.find(uid)
    files: list[bytes] = []
    fetching = seconds(lambda: files.extend(archive.fetch(found)))
    groups = groups_in((f"{number}", data) for number, data in enumerate(files))
    judging = seconds(lambda: _judged(classifier, groups))
    counts: list[int] = []

    def whole() -> None:
        fetched = fetch(archive, parts_of(archive, archive.find(uid)))
        counts.append(_judged(classifier, groups_in(fetched)))

    taken = seconds(whole)
    return {
        "archive_vs_parts": taken / (fetching + judging),
        "archive_s": taken,
        "archive_fetch_s": fetching,
        "archive_judge_s": judging,
        "archive_slices": counts[0],
        "archive_peak_mib": run_python(*_COMMAND, uid).peak_mib,
    }


def _judged(classifier: Classifier, groups: list[CaseGroup]) -> int:
    """Judge all slices; how many have a verdict."""
    outcomes = (one for _, found in judge(classifier, groups) for one in found)
    return sum(isinstance(one, Judged) for one in outcomes)
