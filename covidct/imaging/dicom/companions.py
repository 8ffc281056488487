"""DICOM objects that lie beside a CT and are no slices, told by their SOP class (PS3.4, B.5)."""

from pydicom import uid

from covidct.imaging.dicom.header import Header
from covidct.messages import N_

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_GROUPS = ("9.", "11.", "30", "66", "67", "68.", "88.", "90.", "91.", "104.", "481.", "501.")
_DIRECTORY = "1.2.840.10008.1.3.10"
_SECONDARY_CAPTURE = f"{_STORAGE}7"


def is_secondary_capture(header: Header) -> bool:
    """Whether it is a copy of a screen, such as a dose page."""
    return header.text("SOPClassUID").startswith(_SECONDARY_CAPTURE)


def companion(header: Header) -> str:
    """Why an object is none of a CT's slices, with the name of its kind; empty where it may be."""
    found = header.text("SOPClassUID")
    number = found.removeprefix(_STORAGE)
    if found != _DIRECTORY and (number == found or not number.startswith(_GROUPS)):
        return ""
    name = uid.UID(found).name
    return N_("Not a CT slice: {kind}.", kind=found if name == found else name)
