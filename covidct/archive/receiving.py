"""What came to the DICOM node is judged, one series after the other, and results are sent on."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import chain

from pydicom import Dataset, dcmread, uid
from pynetdicom import AE
from pynetdicom.association import Association

from covidct.archive.inbox import Arrival, Inbox, Received
from covidct.archive.node_settings import NodeSettings, Peer
from covidct.archive.stored import Stored
from covidct.errors import CovidCTError, NodeError
from covidct.imaging.anatomy.gate import check_lung_slice
from covidct.imaging.formats.pixels import DECODING_ERRORS
from covidct.inference.cases import groups_in
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Admit, Judged, judge
from covidct.jobs import action_log
from covidct.messages import N_
from covidct.reports.dicom_results import results_of_series
from covidct.reports.secondary_capture import file_of

_TIMEOUT = 60  # seconds without an answer of a peer
_RESULTS = (
    uid.SecondaryCaptureImageStorage,
    uid.SegmentationStorage,
    uid.EnhancedSRStorage,
    uid.ParametricMapStorage,
)
_STORED = ("0000", "B000", "B006", "B007")  # success, and warnings of PS3.4 section B.2.3

_LOG = logging.getLogger(__name__)
_FAILED = N_("The series could not be judged, for a reason that was not foreseen.")


def receive(
    inbox: Inbox,
    settings: NodeSettings,
    classifier: Callable[[], Classifier],
    admit: Admit = check_lung_slice,
) -> Iterator[Received]:
    """Judge each series once it is due, and send its results on where that is wanted.

    Args:
        inbox: that a node fills; verdicts are kept in it, too. It ends with it.
        settings: of the node.
        classifier: gives the one that is in use.
        admit: passes a slice on, or refuses it by raising NotALungSlice.

    Yields:
        Each series with its verdict; again where slices of it came late.
    """
    while (arrival := inbox.next_due()) is not None:
        received = Received(arrival)
        try:
            with_model = classifier()
            received = _judged(arrival, with_model, admit)
            received = replace(received, stored=_sent(received, settings, with_model))
        except CovidCTError as error:
            received = replace(received, problem=error.message)
        except Exception as error:  # no series may end the node
            _LOG.error("A series failed with %s.", type(error).__name__)
            received = replace(received, problem=_FAILED)
        inbox.settle(received)
        yield received


def described(arrival: Arrival) -> tuple[str, str]:
    """PatientID and SeriesDescription of its first object, to be shown and not kept."""
    keywords = ("PatientID", "SeriesDescription")
    try:
        header = dcmread(BytesIO(arrival.files[0][1]), specific_tags=list(keywords))
        patient, description = (str(header.get(keyword, "")) for keyword in keywords)
    except DECODING_ERRORS:
        return "", ""
    return patient, description


def _judged(arrival: Arrival, classifier: Classifier, admit: Admit) -> Received:
    groups, outcomes = [], []
    for group, found in judge(classifier, groups_in(arrival.files), admit):
        groups.append(group)
        outcomes.append(tuple(one.summary() if isinstance(one, Judged) else one for one in found))
    return Received(arrival, tuple(groups), tuple(outcomes))


def _sent(received: Received, settings: NodeSettings, classifier: Classifier) -> Stored | None:
    """What the peer said that gets the results; None where there are none, or nobody gets them."""
    judged = [found for found in received.outcomes if any(isinstance(one, Judged) for one in found)]
    if settings.receiver is None or not judged:
        return None
    action_log.record(N_("Sent results of a received series on"), settings.receiver.ae_title)
    made = (results_of_series(classifier, outcomes, settings.what) for outcomes in judged)
    return send(settings.receiver, settings.ae_title, chain.from_iterable(made))


def send(peer: Peer, ae_title: str, objects: Iterable[Dataset]) -> Stored:
    """Store objects at a peer (C-STORE), one after the other as they are made.

    That takes its time for some of them, so an association that the peer has ended meanwhile is
    made again.

    Args:
        peer: that gets them.
        ae_title: by which it knows this program.
        objects: results as :func:`covidct.reports.dicom_results.results_of_series` makes them.

    Returns:
        What the peer said.

    Raises:
        NodeError: it cannot be reached, or takes nothing from this program.
    """
    told, association = Stored(0, 0), None
    try:
        for one in objects:
            if association is None or not association.is_established:
                association = _associated(peer, ae_title)
            status = _store(association, one)
            is_stored = status in _STORED
            reasons = told.reasons if is_stored or status is None else (*told.reasons, status)
            told = Stored(told.stored + is_stored, told.sent + 1, tuple(dict.fromkeys(reasons)))
    finally:
        if association is not None and association.is_established:
            association.release()
    return told


def _associated(peer: Peer, ae_title: str) -> Association:
    entity = AE(ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _TIMEOUT
    entity.connection_timeout = _TIMEOUT
    for sop_class in _RESULTS:
        entity.add_requested_context(sop_class, uid.ExplicitVRLittleEndian)
    assert peer.port is not None  # who gets results has one
    association = entity.associate(peer.host, peer.port, ae_title=peer.ae_title)
    if not association.is_established:
        raise NodeError(
            N_(
                "The results were not sent: {title} cannot be reached, or does not know this "
                "program’s AE title, {own}.",
                title=peer.ae_title,
                own=ae_title,
            )
        )
    return association


def _store(association: Association, one: Dataset) -> str | None:
    """The status of the answer as PS3.4 lists it; None where there was none."""
    try:
        answer = association.send_c_store(dcmread(BytesIO(file_of(one))))
    except (RuntimeError, ValueError):  # it has ended, or that class is not taken
        return None
    return f"{answer.Status:04X}" if "Status" in answer else None
