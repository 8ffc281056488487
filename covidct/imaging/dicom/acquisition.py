"""Who was scanned on what, as a DICOM header says it: for results of labelled slices by group.

No verdict depends on it, and nothing else in the program reads it.
"""

import re
from dataclasses import dataclass

from covidct.imaging.dicom.header import read_header

_PARTS_OF_A_YEAR = {"Y": 1, "M": 12, "W": 52, "D": 365}
_SEXES = ("F", "M", "O")


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What is known of a scan.

    Attributes:
        age: of the patient in whole years, or None.
        sex: "F", "M" or "O", as DICOM has it; empty where it is not said, as is
        scanner: manufacturer and model.
        thickness_mm: of the slice, nominal, or None.
    """

    age: int | None = None
    sex: str = ""
    scanner: str = ""
    thickness_mm: float | None = None


UNKNOWN = Acquisition()


def read_acquisition(data: bytes) -> Acquisition:
    """What the header of a DICOM file says (PS3.3 sections C.7.2.2, C.7.5.1 and C.8.2.1).

    Of a file with several frames the first one counts.

    Raises:
        UnreadableSlice: the header is damaged.
    """
    header = read_header(data).of_frame(0)
    thickness = header.number("SliceThickness")
    sex = header.text("PatientSex")
    made_by = (header.text(keyword) for keyword in ("Manufacturer", "ManufacturerModelName"))
    return Acquisition(
        _years(header.text("PatientAge")),
        sex if sex in _SEXES else "",
        " ".join(filter(None, made_by)),
        thickness if thickness and thickness > 0 else None,
    )


def _years(age: str) -> int | None:
    """Of an age string, "061Y" or "018M" (PS3.5 section 6.2)."""
    said = re.fullmatch(r"(\d{1,3})([YMWD])", age)
    return int(said[1]) // _PARTS_OF_A_YEAR[said[2]] if said else None
