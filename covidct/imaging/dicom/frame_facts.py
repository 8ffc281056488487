"""What a header says of one picture, by which series are told apart and put in order."""

import math
import os
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from covidct.errors import UnsupportedEncoding
from covidct.imaging.dicom.companions import companion, is_secondary_capture
from covidct.imaging.dicom.frames import frame_bytes
from covidct.imaging.dicom.header import Header, read_header
from covidct.imaging.file import File
from covidct.imaging.series import Place

_SCOUT_TYPES = {"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW"}


@dataclass(frozen=True, slots=True, eq=False)
class FrameFacts:
    """What the header says of one picture; no patient data and, once sorted, no identifiers.

    Attributes:
        file: that holds it.
        index: its number in the file, from 0.
        header: its own, without pixels.
        digest: SHA-256 of its pixels as they are stored; empty of what is no picture.
    """

    file: File
    index: int
    header: Header
    digest: bytes

    @property
    def series(self) -> str:
        """The series that the file claims to be of."""
        return self.header.text("SeriesInstanceUID")

    @property
    def folder(self) -> str:
        """Where its file lies."""
        return os.path.dirname(self.file.name)  # noqa: PTH120

    @property
    def key(self) -> tuple[str, ...]:
        """What tells its series from others; the UID may be missing or constant."""
        said = (
            *map(self.header.text, ("StudyInstanceUID", "PatientID", "SeriesNumber")),
            self.series,
        )
        if self.series:
            return said
        normal = "" if self.normal is None else str(np.argmax(np.abs(self.normal)))
        alone = self.file.name if self.header.frames > 1 else ""
        return *said, self.folder, *map(str, self.size), normal, alone

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.integer("Rows"), self.header.integer("Columns")

    @property
    def kin(self) -> tuple[str, ...]:
        """What the slices of one scan have in common, identifiers apart."""
        keywords = "PatientID", "SeriesNumber", "Modality", "PixelSpacing"
        return *map(self.header.text, keywords), *map(str, self.size)

    @property
    def is_ct(self) -> bool:
        """Whether it is a picture by a scanner that says CT."""
        is_copy = is_secondary_capture(self.header)
        return bool(self.digest) and self.header.text("Modality") == "CT" and not is_copy

    @property
    def is_scout(self) -> bool:
        """Whether it shows where the slices lie."""
        return bool(_SCOUT_TYPES & set(self.header.text("ImageType").split("\\")))

    @property
    def instance(self) -> tuple[float | None, int]:
        """The number of the file in the series, and of the frame in the file."""
        return self.header.number("InstanceNumber"), self.index

    @property
    def position(self) -> tuple[float, ...] | None:
        """The patient coordinates of the first pixel in millimetres, to the left, back, head."""
        return self.header.numbers("ImagePositionPatient", 3) or None

    @property
    def normal(self) -> np.ndarray | None:
        """The unit vector (3,) across the slice that does not point to the feet."""
        cosines = self.header.numbers("ImageOrientationPatient", 6)
        if not cosines:
            return None
        normal = np.cross(cosines[:3], cosines[3:])
        if not math.isclose(np.linalg.norm(normal), 1, abs_tol=0.05):
            return None
        return -normal if normal[2] < 0 else normal

    @property
    def mark(self) -> tuple:
        """What no other slice of the series has, unless it is the same."""
        return self.digest, self.position

    def place(self, position: float | None = None) -> Place:
        """Where it is found, at a position in millimetres if that is known."""
        frame = self.index + 1 if self.header.frames > 1 else None
        return Place(self.file.name, frame, position)


def list_frames(file: File, data: bytes) -> list[FrameFacts]:
    """The frames of a DICOM file of this content, without their pixels.

    Raises:
        UnreadableSlice: it is damaged, or one of its frames is.
    """
    header = read_header(data)
    bare = header.without_pixels()
    if companion(header) or ("PixelData" not in header.raw and "Rows" not in header.raw):
        return [FrameFacts(file, 0, bare, b"")]
    try:
        return [
            FrameFacts(
                file, index, bare.of_frame(index), sha256(frame_bytes(header, index)).digest()
            )
            for index in range(header.frames)
        ]
    except UnsupportedEncoding:
        if is_secondary_capture(header):
            return [FrameFacts(file, 0, bare, b"")]
        raise
