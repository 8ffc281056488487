"""What goes back to the archive, and the sending of it; nothing is sent that was not asked for."""

from collections.abc import Collection, Generator, Sequence

from covidct.archive.dicomweb import Archive
from covidct.archive.stored import Stored
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Judged, Outcome, SeriesJudged
from covidct.jobs import action_log
from covidct.messages import N_, Message, ngettext
from covidct.reports.dicom_results import (
    CAPTURES,
    KINDS,
    MAP,
    REPORT,
    SEGMENTATION,
    results_of_series,
)

TITLES = {
    CAPTURES: N_("Heat maps over the slices, as secondary captures"),
    SEGMENTATION: N_("Opacities and lungs, as a segmentation"),
    REPORT: N_("Figures, as a structured report"),
    MAP: N_("Heat maps, as a parametric map"),
}


def planned(outcomes: Sequence[Outcome | SeriesJudged], what: Collection[str]) -> dict[str, int]:
    """How many objects of each kind would be sent of a series that was judged.

    Args:
        outcomes: of its slices and of the whole.
        what: of :data:`covidct.reports.dicom_results.KINDS`.
    """
    judged = sum(isinstance(one, Judged) for one in outcomes)
    counts = {kind: judged if kind == CAPTURES else min(judged, 1) for kind in KINDS}
    return {kind: count for kind, count in counts.items() if kind in what and count}


def sentence(count: int) -> Message:
    """What becomes of so many objects once they are sent."""
    return ngettext(
        "One object goes into the study of the slices and bears their patient.",
        "{count} objects go into the study of the slices and bear their patient.",
        count,
    )


def send(
    archive: Archive,
    classifier: Classifier,
    outcomes: Sequence[Outcome | SeriesJudged],
    what: Collection[str],
) -> Generator[Stored, None, None]:
    """Make objects and send them, one after the other.

    Args:
        archive: that holds the series.
        classifier: that judged it.
        outcomes: of its slices and of the whole.
        what: of :data:`covidct.reports.dicom_results.KINDS`.

    Yields:
        What the archive has said so far, after each object.

    Raises:
        DICOMwebError: the archive cannot be reached, or refuses.
        ExportError: there is nothing to send, or the slices lack what it must refer to.
        UnreadableSlice: a header is damaged.
        LogError: the log of actions cannot be written; nothing is sent.
    """
    counts = ", ".join(f"{count} {kind}" for kind, count in planned(outcomes, what).items())
    action_log.record(N_("Sent results to the archive"), f"{archive.host}: {counts}")
    return archive.store(results_of_series(classifier, outcomes, what))
