"""A DICOM node that CT is routed to (C-STORE and C-ECHO of PS3.4 and PS3.7).

**Where it runs.** The command ``covidct receive`` is a node in a process of its own: each series
leaves it as a line of text, and as objects to a peer, so nobody else need look into it. The page
shows series with their slices, which lie in memory alone; no other process can reach them there
without a file or one more network protocol that would have to be secured. So where the server is
told a port, the node runs within the server's own process, in threads, and page and node share one
:class:`~covidct.archive.inbox.Inbox`. Both are the same classes; one port belongs to one of them.

**Whom it answers.** A connection from an address that is none of a peer's is closed unread; an
association is accepted where the calling AE title, the address and the called AE title fit.

**What it answers.** 0000 to slices, which are held in memory until they are judged, and to whatever
else lies in a study, which is set aside at once: a sender that routes whole studies may end at the
first refusal, and the CT after it would never come. A700 to what there is no room for, A900 to an
object of another SOP class than was announced, C000 to what cannot be read. It is no archive:
whoever sends to it keeps the original. Storage classes of the standard are accepted in all transfer
syntaxes that :mod:`covidct.imaging` reads, so that nothing need be transcoded.

The library holds an object in memory while it comes (never in a file, which is an option that it
has). Its logs quote headers and are shut off; here they are told without any identifier.
"""

import logging
import threading
from contextlib import suppress
from datetime import datetime
from io import BytesIO
from pathlib import Path
from socketserver import BaseServer
from typing import Any, Self

from pydicom import uid
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from covidct.archive.inbox import Inbox
from covidct.archive.node_settings import NodeSettings, plain_address
from covidct.errors import ConfigError, UnreadableSlice, UnsupportedEncoding
from covidct.files import replace_bytes
from covidct.imaging.dicom.companions import companion, is_secondary_capture
from covidct.imaging.dicom.frames import frame_bytes
from covidct.imaging.dicom.header import Header, read_header
from covidct.imaging.dicom.misfits import NO_PICTURE, SCREEN_COPY
from covidct.imaging.formats.pixels import MAX_BYTES
from covidct.messages import N_
from covidct.terminal import visible

MOST_ASSOCIATIONS = 8
STORED, NO_ROOM, OTHER_CLASS, UNREADABLE = 0x0000, 0xA700, 0xA900, 0xC000  # PS3.4, B.2.3
_JPEG_XL = [uid.UID(f"1.2.840.10008.1.2.4.{number}") for number in (110, 111, 112)]
TRANSFER_SYNTAXES = [
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLSNearLossless,
    uid.JPEG2000,
    uid.HTJ2K,
    *_JPEG_XL,
]

_LONGEST_PDU = 256 * 1024  # bytes, as the node tells its peers
_REJECTED = (0x01, 0x01, 0x03)  # for good, by the user, calling AE title not recognized (PS3.8)

_LOG = logging.getLogger(__name__)

# Set once, before any thread is started.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
_config.LOG_HANDLER_LEVEL = "none"


class Node:
    """Takes objects from peers into an inbox, from when it is entered until it is left.

    Args:
        settings: who it is, and who its peers are.
        inbox: what it takes is put there.
    """

    def __init__(self, settings: NodeSettings, inbox: Inbox) -> None:
        self._settings, self._inbox = settings, inbox
        self._kept: Path | None = None
        self._addresses = {peer.ae_title: peer.addresses() for peer in settings.peers}

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            ConfigError: it cannot at this address and port.
            OSError: the folder for what is kept cannot be made.
        """
        if self._settings.keep:  # each start has a folder, since series are numbered from 1
            self._kept = self._settings.keep / f"{datetime.now():%Y%m%d-%H%M%S}"
            self._kept.mkdir(mode=0o700, parents=True)
        entity = AE(self._settings.ae_title)
        entity.maximum_associations = MOST_ASSOCIATIONS
        entity.maximum_pdu_size = _LONGEST_PDU
        entity.require_called_aet = True
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            if context.abstract_syntax:
                entity.add_supported_context(context.abstract_syntax, TRANSFER_SYNTAXES)
        try:
            self._server = _Server(
                entity,
                (self._settings.host, self._settings.port),
                self._settings.ae_title,
                entity.supported_contexts,
                evt_handlers=[
                    (evt.EVT_CONN_OPEN, _limit_pdus),
                    (evt.EVT_REQUESTED, self._admit),
                    (evt.EVT_REJECTED, _tell_rejected),
                    (evt.EVT_PDU_RECV, _limit_object),
                    (evt.EVT_C_STORE, self._store),
                    (evt.EVT_ABORTED, self._broke_off),
                ],
            )
        except OSError as error:
            raise ConfigError(
                N_(
                    "The DICOM node cannot listen on port {port} of {host}: {reason}.",
                    port=self._settings.port,
                    host=self._settings.host,
                    reason=error.strerror or type(error).__name__,
                )
            ) from None
        self._server.admitted = frozenset[str]().union(*self._addresses.values())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take nothing any more; who is sending is told so."""
        self._server.shutdown()
        for association in self._server.active_associations:
            association.abort()
        self._inbox.close()

    def _admit(self, event: Event) -> None:
        """Refuse an association of who is no peer, or is at another address than that peer."""
        requestor = event.assoc.requestor
        assert requestor.primitive is not None  # this is about it
        title = requestor.primitive.calling_ae_title.strip()
        if plain_address(requestor.address) not in self._addresses.get(title, ()):
            _LOG.warning("An association was refused: its AE title or address is not a peer's.")
            event.assoc.acse.send_reject(*_REJECTED)
            event.assoc.kill()

    def _store(self, event: Event) -> int:
        """Answer a C-STORE request."""
        request = event.request
        assert isinstance(request, C_STORE)
        if request.DataSet is None or isinstance(request.DataSet, _TooLarge):
            return _refused(NO_ROOM, "it takes too much memory")
        data = event.encoded_dataset()
        try:
            header = read_header(data)
            _check_identity(header)
            if header.text("SOPClassUID") != request.AffectedSOPClassUID:
                return _refused(OTHER_CLASS, "it is of another SOP class than was announced")
            if reason := _no_slice(header):
                _LOG.warning("An object was set aside: %s", visible(reason))
                return STORED
            _check_whole(header)
        except UnreadableSlice as error:
            return _refused(UNREADABLE, error.message)
        name = self._inbox.put(header.without_pixels(), data, event.assoc)
        if name is None:
            return _refused(NO_ROOM, "there is no room for more")
        try:
            self._keep(name, data)
        except OSError as error:
            return _refused(NO_ROOM, f"it cannot be written: {error.strerror}")
        return STORED

    def _keep(self, name: str, data: bytes) -> None:
        """Write an object to disk where that was asked for, to be read by its owner alone."""
        if self._kept:
            file = self._kept / name
            file.parent.mkdir(mode=0o700, exist_ok=True)
            replace_bytes(file, data)

    def _broke_off(self, event: Event) -> None:
        self._inbox.broke_off(event.assoc)


class _Server(ThreadedAssociationServer):
    """Listens; who is at no peer's address is not even read.

    It is not of those that the library's `start_server` keeps a list of, so it closes itself.
    """

    admitted: frozenset[str] = frozenset()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401
        if plain_address(client_address[0]) in self.admitted:
            return True
        _LOG.warning("A connection was refused: it came from an address that is not a peer's.")
        return False

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        _LOG.warning("A connection failed before it could be read.")

    def shutdown(self) -> None:
        BaseServer.shutdown(self)
        self.server_close()


class _TooLarge(BytesIO):
    """Takes the place of what came of an object that takes too much, and forgets the rest."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401
        return len(data)


def _limit_pdus(event: Event) -> None:
    """Have a connection closed that announces a longer PDU than was agreed on.

    The library reads what is announced, up to 4 GB.
    """
    connection = event.assoc.dul.socket
    assert connection is not None  # it has just been opened
    read = connection.recv

    def recv(size: int) -> bytearray:
        if size > _LONGEST_PDU + 6:
            raise ConnectionAbortedError
        return read(size)

    connection.recv = recv  # type: ignore[assignment, method-assign]


def _limit_object(event: Event) -> None:
    """Let go of what came of an object once it is larger than any that is read."""
    message = event.assoc.dimse.message
    if message is not None and message.data_set is not None and message.data_set.tell() > MAX_BYTES:
        message.data_set = _TooLarge()


def _tell_rejected(_event: Event) -> None:
    _LOG.warning("An association was refused: it called another AE title, or there are too many.")


def _check_identity(header: Header) -> None:
    """Refuse an object that is of no series.

    Raises:
        UnreadableSlice: so.
    """
    if not header.text("SeriesInstanceUID") or not header.text("SOPInstanceUID"):
        raise UnreadableSlice(N_("The object lacks the UID of its series, or its own."))


def _check_whole(header: Header) -> None:
    """Refuse an object whose pixels are cut off, so that its sender may send it again.

    Raises:
        UnreadableSlice: so.
    """
    with suppress(UnsupportedEncoding):  # of which the verdict on its series tells
        frame_bytes(header, header.frames - 1)


def _no_slice(header: Header) -> str:
    """Why an object is not to be judged, empty where it is.

    Copies of screens lie beside a CT and are not part of it. This program's own results are among
    them, which a peer may route back here.
    """
    if reason := companion(header):
        return reason
    if is_secondary_capture(header):
        return SCREEN_COPY
    return "" if header.integer("Rows") else NO_PICTURE


def _refused(status: int, reason: str) -> int:
    _LOG.warning("An object was refused with status %04X: %s", status, visible(reason))
    return status
