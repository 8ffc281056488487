"""From what somebody dropped to files and series whose contents can be told apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from covidct.imaging.file import File
    from covidct.inference.cases import Case, CaseGroup


def sort_uploads(uploads: Iterable[tuple[str, bytes]]) -> list[CaseGroup]:
    """Unpack ZIPs, put DICOM files into series, keep the order in which they came otherwise.

    Args:
        uploads: names and contents.
    """
    from covidct.inference.cases import groups_in

    digests: dict[File | None, str] = {}

    def note(file: File, data: bytes) -> None:
        digests[file] = sha256(data).hexdigest()

    groups = groups_in(uploads, note)

    def identified(case: Case) -> Case:
        digest = digests.get(case.file) or case.name
        return replace(case, content=f"{digest} {case.place.frame}")

    return [replace(group, cases=tuple(map(identified, group.cases))) for group in groups]
