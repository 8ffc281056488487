"""TIFF files of one page or several; several are a stack, like the frames of a DICOM file."""

import threading
from collections import Counter
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from covidct.errors import UnreadableSlice
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.file import File
from covidct.imaging.formats.pictures import damage, slice_of
from covidct.imaging.formats.pixels import DECODING_ERRORS, MAX_FRAMES
from covidct.imaging.series import LastOpened, LeftOut, Place, Series
from covidct.messages import N_

OTHER_SIZE = N_("A page of another size than the rest, such as a thumbnail.")
_REDUCED = N_("A smaller copy or a mask of another page.")
_SUBFILE_TYPE = 254  # TIFF 6.0, section 8: 1 is a reduced copy, 4 a mask


class TiffStack:
    """The pages of an opened TIFF file, as :class:`covidct.imaging.series.Frames`.

    Pillow reads one page at a time, so that threads take turns.

    Args:
        data: the bytes of the file.

    Attributes:
        slices: the pages that are slices, from 0.
        left_out: the other ones, with the reason.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._lock = data, threading.Lock()
        self._image = TiffImageFile(BytesIO(data))
        kinds: list[tuple[tuple[int, int], bool]] = []
        for page in range(MAX_FRAMES + 1):
            try:
                self._image.seek(page)
            except EOFError:
                break
            kinds.append((self._image.size, bool(self._image.tag_v2.get(_SUBFILE_TYPE, 0) & 5)))
        self.left_out = _left_out(kinds)
        self.slices = [page for page in range(len(kinds)) if page not in self.left_out]

    def read(self, index: int) -> CTSlice:
        """One page, counted from 0.

        Raises:
            UnreadableSlice: it cannot be decoded, or is of a refused size.
        """
        with self._lock:
            try:
                self._image.seek(index)
            except DECODING_ERRORS as error:
                raise UnreadableSlice(damage(self._data, "TIFF", error)) from error
            return slice_of(self._image, self._data, "TIFF")

    def read_hounsfield(self, index: int) -> np.ndarray | None:
        """None: the Hounsfield units of a picture are not kept."""
        return None


def _left_out(kinds: Sequence[tuple[tuple[int, int], bool]]) -> dict[int, str]:
    """Which pages are no slices, by the size of each and whether it is a reduced copy."""
    sizes = Counter(size for size, is_reduced in kinds if not is_reduced)
    usual = next((size for size, count in sizes.items() if 2 * count > sizes.total()), None)
    return {
        page: _REDUCED if is_reduced else OTHER_SIZE
        for page, (size, is_reduced) in enumerate(kinds)
        if (is_reduced and sizes) or (usual and size != usual)
    }


def open_stack(data: bytes) -> TiffStack:
    """The pages of a TIFF file.

    Raises:
        UnreadableSlice: it is damaged, or has more pages than are read.
    """
    try:
        stack = TiffStack(data)
    except DECODING_ERRORS as error:
        raise UnreadableSlice(damage(data, "TIFF", error)) from error
    if len(stack.slices) > MAX_FRAMES:
        raise UnreadableSlice(
            N_(
                "The TIFF file has more than {most:,} pages, which is all that is read.",
                most=MAX_FRAMES,
            )
        )
    return stack


def stack_series(file: File, data: bytes, opened: LastOpened) -> Series | None:
    """The pages of a TIFF file as a series, in their order; None of a file of a single page.

    Args:
        file: that holds the stack.
        data: its content.
        opened: keeps the file that is read last.

    Raises:
        UnreadableSlice: as for :func:`open_stack`.
    """
    stack = open_stack(data)
    if len(stack.slices) + len(stack.left_out) == 1:
        return None
    return Series(
        tuple(Place(file.name, page + 1) for page in stack.slices),
        tuple(LeftOut(Place(file.name, page + 1), why) for page, why in stack.left_out.items()),
        (),
        None,
        tuple((file, page) for page in stack.slices),
        open_stack,
        opened,
    )
