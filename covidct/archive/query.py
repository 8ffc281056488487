"""What series to search an archive for, in the words of QIDO-RS (PS3.18, section 8.3.4)."""

import re
from dataclasses import dataclass

from covidct.errors import ConfigError
from covidct.messages import N_

DAY = r"(\d{4})-?(\d\d)-?(\d\d)"
_RANGE = re.compile(rf"{DAY}(?:-{DAY})?", re.ASCII)
_UNUSUAL = re.compile(r"[^\w.~*?-]+", re.ASCII)  # what is escaped in an address


@dataclass(frozen=True, slots=True)
class Query:
    """What a series has to match; what is empty matches all.

    Attributes:
        patient_id: PatientID; ``*`` and ``?`` stand for others.
        accession_number: AccessionNumber, likewise.
        date: StudyDate, a day or a range, as :func:`date_range` gives it.
        description: a part of SeriesDescription.
    """

    patient_id: str = ""
    accession_number: str = ""
    date: str = ""
    description: str = ""

    def filters(self) -> dict[str, str]:
        """The same as matching keys of QIDO-RS."""
        description = f"*{self.description}*" if self.description else ""
        keys = {
            "PatientID": self.patient_id,
            "AccessionNumber": self.accession_number,
            "StudyDate": self.date,
            "SeriesDescription": description,
        }
        return {key: value.strip() for key, value in keys.items() if value.strip()}


def date_range(text: str) -> str:
    """A day or two days with a hyphen between, each YYYY-MM-DD or YYYYMMDD, as DICOM has them.

    Raises:
        ConfigError: the text is none of that.
    """
    match = _RANGE.fullmatch(text.strip())
    if not match:
        raise ConfigError(
            N_("A date is a day, 2026-01-31, or two with a hyphen between, 20260101-20260131.")
        )
    digits = "".join(filter(None, match.groups()))
    return "-".join(filter(None, (digits[:8], digits[8:])))


def asked(value: str) -> str:
    """A value as a query may hold it: letters that would be escaped become a wildcard, since not
    every archive undoes escapes; what is found has to be compared by :func:`matches`."""
    return _UNUSUAL.sub("*", value)


def matches(value: str, pattern: str) -> bool:
    """Whether a value is what was asked for, by the wildcards of PS3.4 section C.2.2.2.4."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.IGNORECASE | re.DOTALL) is not None
