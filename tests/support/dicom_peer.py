"""Another DICOM node, which sends to the program and takes from it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

from app_server import free_port
from pydicom import Dataset, dcmread, uid
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

TITLE = "SENDER"


@contextmanager
def associated(
    port: int, title: str = TITLE, called: str = "COVIDCT", classes: Sequence[str] = ()
) -> Iterator[Association]:
    """An association with a node on this machine, whether it is accepted or not."""
    entity = AE(title)
    entity.add_requested_context(Verification)
    for sop_class in (uid.CTImageStorage, uid.SecondaryCaptureImageStorage, *classes):
        for syntax in (uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless):
            entity.add_requested_context(sop_class, syntax)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def store(association: Association, *objects: bytes | Dataset) -> list[int | None]:
    """Send objects; the statuses that they are answered with, None where there is no answer."""
    read = [dcmread(BytesIO(one)) if isinstance(one, bytes) else one for one in objects]
    return [association.send_c_store(one).get("Status") for one in read]


@contextmanager
def storing(title: str, answer: Callable[[Dataset], int]) -> Iterator[tuple[int, list[Dataset]]]:
    """A node that takes all objects; its port, and what it was sent."""
    came: list[Dataset] = []

    def take(event: evt.Event) -> int:
        one = event.dataset
        one.file_meta = event.file_meta
        came.append(one)
        return answer(one)

    entity, port = AE(title), free_port()
    entity.supported_contexts = AllStoragePresentationContexts
    handlers = [(evt.EVT_C_STORE, take)]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield port, came
    finally:
        server.shutdown()
