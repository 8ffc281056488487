"""Files of any kind -> series, single pictures, and what is no picture at all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from covidct.errors import UnreadableSlice
from covidct.imaging.dicom.frame_facts import FrameFacts, list_frames
from covidct.imaging.dicom.series import sort_frames
from covidct.imaging.file import File, unreadable
from covidct.imaging.formats.nifti import MASK, open_volume, volume_series
from covidct.imaging.formats.pictures import is_thumbnail
from covidct.imaging.formats.pixels import MAX_BYTES
from covidct.imaging.formats.sniff import sniff
from covidct.imaging.formats.tiff_stack import stack_series
from covidct.imaging.series import LastOpened, Series
from covidct.messages import N_
from covidct.runtime.fair_queue import FairQueue


@dataclass(frozen=True, slots=True, eq=False)
class Stranger:
    """A file that is no picture in a format that is read, such as a viewer, and what it is."""

    file: File
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A file of one picture in a format that knows no CT.

    Attributes:
        file: that holds it.
        is_thumbnail: whether it is as small as the icons that lie beside a CT.
    """

    file: File
    is_thumbnail: bool


turns = FairQueue()  # Python runs one thread at a time: many that sort would slow down all others
THUMBNAIL = N_("A thumbnail beside the CT.")

Found = Series | Picture | File | Stranger
Seen = Callable[[File, bytes], object]


def gather(files: Iterable[File], seen: Seen | None = None) -> list[Found]:
    """Sort files into series.

    Each file is read once, one at a time in all threads, and its pixels are not kept. DICOM files
    become series as :func:`covidct.imaging.dicom.series.sort_frames` puts them together; a volume
    or a stack of pages is a series by itself. Beside a series a thumbnail is a stranger.

    Args:
        files: as :mod:`covidct.imaging.sources` finds them.
        seen: told the content of each file while it is there, so that nobody reads it again.

    Returns:
        Series, pictures and strangers in the order in which the first of each came. What cannot be
        read stays a file: :func:`covidct.imaging.read_slice` says why.
    """
    opened = LastOpened()
    looked_at = [_in_turn(file, opened, seen) for file in files]
    frames = [frame for one in looked_at if isinstance(one, list) for frame in one]
    series = sort_frames(frames, opened)
    beside_series = bool(series) or any(isinstance(one, Series) for one in looked_at)
    found: list[Found] = []
    for one in looked_at:
        match one:
            case list():
                for frame in one:
                    found += series.pop(frame.key, ())
            case Picture(file, is_thumbnail=True) if beside_series:
                found.append(Stranger(file, THUMBNAIL))
            case _:
                found.append(one)
    return found


def _in_turn(file: File, opened: LastOpened, seen: Seen | None) -> list[FrameFacts] | Found:
    """Whoever sorts many files lets others look at one in between."""
    with turns.turn():
        return _look_at(file, opened, seen)


def _look_at(file: File, opened: LastOpened, seen: Seen | None) -> list[FrameFacts] | Found:
    """The frames of a DICOM file, or what else a file is."""
    if file.refusal:
        return Stranger(file, file.refusal)
    try:
        data = file.read()
    except UnreadableSlice:
        return file
    if seen is not None:
        seen(file, data)
    if len(data) > MAX_BYTES:
        return file
    try:
        kind = sniff(data)
    except UnreadableSlice as error:
        return Stranger(file, error.message)
    try:
        match kind:
            case "DICOM":
                return list_frames(file, data)
            case "NIfTI":
                volume = open_volume(data)
                return (
                    Stranger(file, MASK) if volume.is_mask else volume_series(file, volume, opened)
                )
            case "TIFF":
                return stack_series(file, data, opened) or Picture(file, False)
    except UnreadableSlice as error:
        return unreadable(file.name, error.message)
    return Picture(file, is_thumbnail(data, kind))
