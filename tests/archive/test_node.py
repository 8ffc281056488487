"""The node beside real senders: pynetdicom within the process, dcmtk's programs beside it."""

import gc
import logging
import queue
import socket
import struct
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO

import imagecodecs
import patience
import pytest
from app_server import free_port
from dicom_peer import TITLE, associated, store, storing
from pydicom import Dataset, dcmread, uid
from pydicom.dataset import FileMetaDataset
from pynetdicom.dimse_primitives import C_STORE

from covidct.archive import node as node_module
from covidct.archive.inbox import BROKE_OFF, NO_ROOM, Inbox, Received
from covidct.archive.node import MOST_ASSOCIATIONS, Node
from covidct.archive.node_settings import NodeSettings, Peer
from covidct.archive.receiving import receive
from covidct.inference.cases import groups_in
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Judged, SeriesJudged, judge

TAKEN = 0x0000
HERE = Peer(TITLE, "127.0.0.1")


@pytest.fixture(scope="module")
def classifier():
    return Classifier.load()


@dataclass
class Running:
    """A node in threads of this process.

    Attributes:
        port: that it listens on.
        inbox: what it holds.
        verdicts: of the series that came.
    """

    port: int
    inbox: Inbox
    verdicts: queue.Queue

    def verdicts_on(self, *slices: int) -> list[Received]:
        """Those on so many slices; on a busy machine some may be judged before the others."""
        found: dict[int, Received] = {}
        while not found.keys() >= set(slices):
            received = self.verdicts.get(timeout=patience.SECONDS)
            found[len(received.arrival.files)] = received
        return [found[count] for count in slices]

    def verdict_on(self, slices: int) -> Received:
        """That on so many."""
        return self.verdicts_on(slices)[0]


@pytest.fixture
def running(classifier):
    """Starts a node, whose peer is this machine unless it is told another."""

    @contextmanager
    def start(peers=(HERE,), quiet=1, inbox=None, **given):
        settings = NodeSettings(tuple(peers), free_port(), quiet=quiet, **given)
        inbox, verdicts = inbox or Inbox(quiet), queue.Queue()

        def work():
            for received in receive(inbox, settings, lambda: classifier):
                verdicts.put(received)

        worker = threading.Thread(target=work)
        with Node(settings, inbox):
            worker.start()
            yield Running(settings.port, inbox, verdicts)
        worker.join()

    return start


def verdict(received):
    """The verdict on the one series that there is."""
    (outcomes,) = received.outcomes
    (whole,) = (one for one in outcomes if isinstance(one, SeriesJudged))
    return whole.prediction, whole.slices


@pytest.fixture
def of_files(classifier):
    """The same of files that were dropped."""

    def judged(files):
        named = [(f"{number:04d}.dcm", data) for number, data in enumerate(files)]
        ((group, outcomes),) = judge(classifier, groups_in(named))
        return verdict(Received(None, (group,), (tuple(outcomes),)))

    return judged


def test_interleaved_series_get_the_verdicts_that_their_files_get(running, stored, of_files):
    one, other = stored("1.2.900.1"), stored("1.2.900.2.3", 5)
    mixed = [file for pair in zip(one, other, strict=False) for file in pair] + one[5:]
    with running() as node:
        with associated(node.port) as association:
            assert association.send_c_echo().Status == TAKEN
            assert store(association, *mixed) == [TAKEN] * 12
        first, second = node.verdicts_on(7, 5)
        assert (first.arrival.number, second.arrival.number) == (1, 2)
        assert verdict(first) == of_files(one)
        assert verdict(second) == of_files(other)
        assert (first.arrival.notes, first.problem) == ((), "")
        newest = [one.arrival.number for one in node.inbox.received()]
        assert sorted(newest) == [1, 2]


def test_compressed_slices_are_taken_as_they_are(running, stored, ct_file, of_files):
    """Of one series compressed and uncompressed, the objects are the same files but one."""
    files = stored("1.2.900.3")
    header = dcmread(BytesIO(files[0]))
    frame = imagecodecs.jpeg2k_encode(header.pixel_array, reversible=True, codecformat="j2k")
    compressed = ct_file(header, header.pixel_array, uid.JPEG2000Lossless, frames=[frame])
    with running() as node:
        with associated(node.port) as association:
            assert store(association, compressed, *files[1:]) == [TAKEN] * 7
        received = node.verdict_on(7)
    held = dcmread(BytesIO(received.arrival.files[0][1]))
    assert held.file_meta.TransferSyntaxUID == uid.JPEG2000Lossless
    assert held.PixelData == dcmread(BytesIO(compressed)).PixelData
    assert verdict(received) == of_files(files)


@pytest.mark.parametrize(
    ("title", "called"), [("OTHER", "COVIDCT"), ("", "COVIDCT"), (TITLE, "OTHER")]
)
def test_other_titles_are_refused(running, caplog, title, called):
    with running() as node, associated(node.port, title or "ANY-SCU", called) as association:
        assert association.is_rejected
    assert "An association was refused" in caplog.text
    assert "127.0.0.1" not in caplog.text and "OTHER" not in caplog.text


def test_other_addresses_are_not_even_read(running, caplog):
    elsewhere = Peer(TITLE, "192.0.2.1")
    with (
        running([elsewhere]) as node,
        socket.create_connection(("127.0.0.1", node.port), patience.SECONDS) as connection,
    ):
        assert connection.recv(1) == b""
    assert "from an address that is not a peer's" in caplog.text
    with running([elsewhere, Peer("HERE", "127.0.0.1")]) as node:
        with associated(node.port) as association:
            assert association.is_rejected
        with associated(node.port, "HERE") as association:
            assert association.is_established


def test_no_more_associations_are_accepted_than_there_may_be(running):
    with running() as node, ExitStack() as held:
        for _ in range(MOST_ASSOCIATIONS):
            assert held.enter_context(associated(node.port)).is_established
        with associated(node.port) as association:
            assert association.is_rejected


def odd(sop_class, **elements):
    """An object that is none of a CT's slices."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, "1.2.900.77.1"
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = "1.2.900.77", "1.2.900.78"
    dataset.PatientName, dataset.PatientID = "Secret^Patient", "Secret"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def test_odd_objects_are_answered_and_end_nothing(running, stored, of_files, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    files = stored("1.2.900.4")
    report, segmentation = uid.ComprehensiveSRStorage, uid.SegmentationStorage
    with (
        running() as node,
        associated(node.port, classes=(report, segmentation)) as association,
    ):
        assert store(association, files[0]) == [TAKEN]
        for sop_class in (report, segmentation, uid.SecondaryCaptureImageStorage):
            assert store(association, odd(sop_class, Rows=64)) == [TAKEN]  # and set aside
        assert store(association, odd(uid.CTImageStorage)) == [TAKEN]
        nameless = odd(uid.CTImageStorage, Rows=64)
        del nameless.SeriesInstanceUID
        assert store(association, nameless) == [0xC000]
        cut = dcmread(BytesIO(files[1]))
        cut.PixelData = cut.PixelData[:100]
        assert store(association, cut) == [0xC000]
        assert store(association, *files[2:]) == [TAKEN] * 5
        received = node.verdict_on(6)
    assert verdict(received) == of_files([files[0], *files[2:]])
    assert "Not a CT slice: Comprehensive SR Storage." in caplog.text
    assert "Not a CT slice: Segmentation Storage." in caplog.text
    assert "status C000" in caplog.text
    told = caplog.text + "".join(capfd.readouterr())
    assert "Secret" not in told and "1.2.900" not in told


def test_what_cannot_be_read_is_answered_so(running, stored):
    """Data sets that are cut off or announced as another class, as the bytes that they are."""
    (file,) = stored("1.2.900.5", 1)
    with running() as node, associated(node.port) as association:
        assert raw(association, file[:-5000]) == 0xC000
        assert raw(association, b"\x08\0") == 0xC000
        assert raw(association, b"Secret" * 100) == 0xC000
        assert raw(association, file, uid.SecondaryCaptureImageStorage) == 0xA900
        assert raw(association, file) == TAKEN


def raw(association, file, sop_class=uid.CTImageStorage):
    """The answer to a C-STORE of the data set in the bytes of a file, sound or not."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, "1.2.900.5.9"
    start = file.find(b"\x08\0\x08\0") if file[128:132] == b"DICM" else 0
    request.DataSet = BytesIO(file[start:])
    (context,) = (
        one.context_id
        for one in association.accepted_contexts
        if one.abstract_syntax == sop_class and one.transfer_syntax == [uid.ExplicitVRLittleEndian]
    )
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, context)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return answer.Status


def test_what_is_too_large_is_let_go_while_it_comes(running, stored, monkeypatch):
    files = stored("1.2.900.6")
    monkeypatch.setattr(node_module, "MAX_BYTES", 10_000)
    monkeypatch.setattr(node_module, "_LONGEST_PDU", 8_192)
    with running() as node, associated(node.port) as association:
        assert store(association, files[0]) == [0xA700]
        assert association.send_c_echo().Status == TAKEN


def test_a_message_of_gigabytes_is_not_waited_for(running):
    with running() as node:
        with socket.create_connection(("127.0.0.1", node.port), patience.SECONDS) as connection:
            connection.sendall(struct.pack(">BBL", 1, 0, 2**32 - 1))
            assert connection.recv(1) == b""
        with associated(node.port) as association:
            assert association.is_established


def test_a_series_that_breaks_off_is_judged_with_a_remark(running, stored, of_files):
    files = stored("1.2.900.7")
    with running(quiet=2) as node:
        with associated(node.port) as association:
            store(association, *files[:4])
            association.abort()
        received = node.verdict_on(4)
        assert received.arrival.notes == (BROKE_OFF,)
        assert verdict(received) == of_files(files[:4])
        with associated(node.port) as association:
            store(association, *files[3:])
        again = node.verdict_on(7)
    assert (again.arrival.number, again.arrival.notes) == (1, ())
    assert verdict(again) == of_files(files)


def test_a_scan_under_two_series_is_one(running, stored, of_files):
    uids = {"StudyInstanceUID": "1.2.900.8.2", "SeriesInstanceUID": "1.2.900.8.1.2"}
    files = [*stored("1.2.900.8")[:5], *stored("1.2.900.8", **uids)[5:]]
    with running() as node:
        with associated(node.port) as association:
            store(association, *files)
        received = node.verdict_on(7)
    assert len(received.arrival.uids) == 2
    assert verdict(received) == of_files(files)


def test_slices_are_written_only_where_that_is_asked_for(running, stored, tmp_path, monkeypatch):
    files = stored("1.2.900.9", 2)
    monkeypatch.chdir(tmp_path)
    with running() as node:
        with associated(node.port) as association:
            store(association, *files)
        node.verdict_on(2)
    assert [*tmp_path.iterdir()] == []
    kept = tmp_path / "kept"
    with running(keep=kept) as node:
        with associated(node.port) as association:
            store(association, *files)
        node.verdict_on(2)
        with associated(node.port) as association:
            store(association, *files)
    written = sorted(file for file in kept.rglob("*") if file.is_file())
    assert [dcmread(file) for file in written] == [dcmread(BytesIO(data)) for data in files]
    assert all("1.2.900" not in str(file.relative_to(kept)) for file in written)
    assert {file.parent.stat().st_mode & 0o077 for file in written} == {0}


def test_a_real_archive_routes_to_it(running, orthanc, stored, of_files):
    files = stored("1.2.900.14")
    orthanc.put(*files)
    with running([Peer("ORTHANC", "127.0.0.1")]) as node:
        name = "covidct"
        known = {"AET": "COVIDCT", "Host": "127.0.0.1", "Port": node.port}
        orthanc.session.put(f"{orthanc.root}/modalities/{name}", json=known).raise_for_status()
        (series,) = orthanc.session.post(
            f"{orthanc.root}/tools/find",
            json={"Level": "Series", "Query": {"SeriesInstanceUID": "1.2.900.14.1.1"}},
        ).json()
        orthanc.session.post(
            f"{orthanc.root}/modalities/{name}/store", data=series
        ).raise_for_status()
        assert verdict(node.verdict_on(7)) == of_files(files)


KINDS = ("sc", "seg", "sr", "map")


def test_results_go_to_a_peer(running, stored):
    with storing("PACS", lambda _: 0xB006) as (port, came):
        peers = (HERE, Peer("PACS", "127.0.0.1", port))
        with running(peers, send_to="PACS", what=KINDS, quiet=2) as node:
            with associated(node.port) as association:
                store(association, *stored("1.2.900.10"))
            received = node.verdict_on(7)
            with associated(node.port, classes=(uid.SegmentationStorage,)) as association:
                again = [one for one in came if one.SOPClassUID in association_classes(association)]
                assert set(store(association, *again)) == {TAKEN}  # set aside, or it went round
            assert node.inbox.waiting == 0
    assert received.problem == ""
    assert received.stored.is_whole
    assert received.stored.sent == 10
    assert Counter(one.SOPClassUID for one in came) == {
        uid.SecondaryCaptureImageStorage: 7,
        uid.SegmentationStorage: 1,
        uid.EnhancedSRStorage: 1,
        uid.ParametricMapStorage: 1,
    }
    assert {one.StudyInstanceUID for one in came} == {"1.2.900.10.1"}


def association_classes(association):
    return {one.abstract_syntax for one in association.accepted_contexts}


def test_a_peer_that_refuses_results_is_told_of(running, stored):
    def refusing(one):
        return 0xA700 if one.SOPClassUID == uid.SegmentationStorage else TAKEN

    with storing("PACS", refusing) as (port, _):
        peers = (HERE, Peer("PACS", "127.0.0.1", port))
        with running(peers, send_to="PACS", what=("seg", "sr"), quiet=2) as node:
            with associated(node.port) as association:
                store(association, *stored("1.2.900.11"))
            received = node.verdict_on(7)
    assert (received.stored.stored, received.stored.sent) == (1, 2)
    assert received.stored.reasons == ("A700",)


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of pynetdicom
def test_where_a_peer_is_away_the_verdict_stays(running, stored, of_files):
    files = stored("1.2.900.12")
    peers = (HERE, Peer("PACS", "127.0.0.1", free_port()))
    with running(peers, send_to="PACS", what=("sr",)) as node:
        with associated(node.port) as association:
            store(association, *files)
        received = node.verdict_on(7)
    gc.collect()
    assert "PACS cannot be reached" in received.problem
    assert verdict(received) == of_files(files)


def test_the_oldest_series_is_let_go_for_a_new_one(running, stored):
    first, second, third = (stored(f"1.2.90{number}", 2) for number in (1, 2, 3))
    room = sum(map(len, [*first, *second])) + 1000
    inbox = Inbox(0.5, most_bytes=room)
    with running(inbox=inbox) as node:
        for files in (first, second):
            with associated(node.port) as association:
                store(association, *files)
            node.verdict_on(2)
        with associated(node.port) as association:
            assert store(association, *third) == [TAKEN] * 2
        node.verdict_on(2)
        assert [one.arrival.number for one in inbox.received()] == [3, 2]
        assert inbox.let_go == 1


def test_where_nothing_can_be_let_go_no_more_is_taken(running, stored):
    files = stored("1.2.904")
    with running(inbox=Inbox(0.5, most_bytes=sum(map(len, files[:3])) + 1000)) as node:
        with associated(node.port) as association:
            assert store(association, *files[:4]) == [TAKEN] * 3 + [0xA700]
        received = node.verdict_on(3)
    assert received.arrival.notes == (NO_ROOM,)
    assert sum(isinstance(one, Judged) for one in received.outcomes[0]) == 3
