"""DICOM files in any order and number -> series of axial slices in the order of the body."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.frame_facts import FrameFacts
from covidct.imaging.dicom.frames import frame_hounsfield, frame_slice
from covidct.imaging.dicom.grouping import by_folder, join
from covidct.imaging.dicom.header import Header, read_header
from covidct.imaging.dicom.misfits import split_off
from covidct.imaging.dicom.ordering import in_order
from covidct.imaging.series import LastOpened, Series


@dataclass(frozen=True, slots=True, eq=False)
class DicomFrames:
    """The frames of an opened DICOM file, as :class:`covidct.imaging.series.Frames`."""

    header: Header

    @classmethod
    def open(cls, data: bytes) -> "DicomFrames":
        """The frames in the bytes of a file."""
        return cls(read_header(data))

    def read(self, index: int) -> CTSlice:
        """One frame, as :func:`covidct.imaging.dicom.frames.frame_slice`."""
        return frame_slice(self.header, index)

    def read_hounsfield(self, index: int) -> np.ndarray | None:
        """Its Hounsfield units, as :func:`covidct.imaging.dicom.frames.frame_hounsfield`."""
        return frame_hounsfield(self.header, index)


def sort_frames(
    frames: Sequence[FrameFacts], opened: LastOpened
) -> dict[Hashable, tuple[Series, ...]]:
    """Put frames into series.

    They are grouped by SeriesInstanceUID, study, patient and series number, whatever their files
    are called and in whatever order they come; without that UID by folder, size and orientation as
    well.

    Args:
        frames: of all files.
        opened: keeps the file that is read last.

    Returns:
        For the first frame of each group, by its key, the series that it makes up.
    """
    groups: dict[Hashable, list[FrameFacts]] = {}
    for frame in frames:
        groups.setdefault(frame.key, []).append(frame)
    joined = join(list(groups.values()))
    beside_ct = any(frame.is_ct for frame in frames)
    return {
        group[0].key: tuple(_series(part, beside_ct, opened) for part in by_folder(group))
        for group in joined
    }


def _series(frames: Sequence[FrameFacts], beside_ct: bool, opened: LastOpened) -> Series:
    slices, set_aside = split_off(frames, beside_ct)
    order = in_order(slices)
    number = frames[0].header.number("SeriesNumber")
    positions = order.positions or repeat(None)
    return Series(
        tuple(one.place(at) for one, at in zip(order.slices, positions, strict=False)),
        set_aside,
        order.notes,
        None if number is None else int(number),
        tuple((one.file, one.index) for one in order.slices),
        DicomFrames.open,
        opened,
    )
