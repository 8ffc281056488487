"""NIfTI volumes, plain or gzipped, as axial slices from the feet to the head.

Source: the headers nifti1.h and nifti2.h of the NIfTI Data Format Working Group; nibabel tells
from them how the voxels lie in the patient.
"""

import gzip
import math
import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.window import LUNG, lung_window
from covidct.imaging.file import File
from covidct.imaging.formats.greys import hounsfield_offset, offset_note, stretched
from covidct.imaging.formats.pixels import (
    DECODING_ERRORS,
    MAX_BYTES,
    MAX_CT_PIXELS,
    MAX_FRAMES,
    check_size,
    check_values,
)
from covidct.imaging.series import LastOpened, Place, Series
from covidct.messages import N_

MASK = N_("A volume of a few labels, such as a mask, and no CT.")
_UNPLACED = N_(
    "The header of the NIfTI volume does not say how the patient lies in it: front and back, left "
    "and right may be exchanged."
)
_MAGIC = re.compile(rb".{344}n\+1\0|.{4}n\+2\0\r\n\x1a\n", re.DOTALL)
_HEADER_BYTES = 540  # of NIfTI-2, whose header is the longer one
_MOST_BEFORE = 16 * 1024**2  # bytes of header and extensions before the voxels
_CHUNK = 4 * 1024**2
_TILT = math.cos(math.radians(35))  # gantries are tilted by up to 30 degrees
_SAMPLED = 96  # values along each axis that tell what they are
_MOST_LABELS = 16  # of a mask: lobes of the lungs, kinds of lesions
_PLACES = "LPS"  # the order of axes in which a slice is looked at: to the left, the back, the head


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """The axial slices of an opened volume, as :class:`covidct.imaging.series.Frames`.

    Attributes:
        stored: as the file holds them, (columns, rows, slices): rising to the patient's left, back
            and head.
        slope: of stored values to what they mean.
        intercept: likewise.
        low: the lowest of all values.
        high: the highest.
        offset: of the values above Hounsfield units; None where they are none.
        is_mask: whether it holds a few labels and no picture.
        spacing_mm: between (rows, columns) in millimetres.
        positions: of the slices along their normal in millimetres, rising towards the head.
        notes: plain sentences about the volume.
    """

    stored: np.ndarray
    slope: float
    intercept: float
    low: float
    high: float
    offset: int | None
    is_mask: bool
    spacing_mm: tuple[float, float]
    positions: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def slices(self) -> range:
        """Its slices, from 0."""
        return range(len(self.positions))

    def values(self, index: int) -> np.ndarray:
        """What one slice holds, (H, W): front at the top, the patient's left on the right."""
        plane = np.ascontiguousarray(self.stored[:, :, index].T)
        if (self.slope, self.intercept) == (1, 0):
            return plane
        with np.errstate(all="ignore"):
            return plane.astype(np.float32) * np.float32(self.slope) + np.float32(self.intercept)

    def read(self, index: int) -> CTSlice:
        """One slice, counted from the feet, from 0.

        Raises:
            UnreadableSlice: it shows nothing, or the volume is a mask.
        """
        if self.is_mask:
            raise UnreadableSlice(MASK)
        values = self.values(index)
        check_values(values)
        if self.offset is None:
            pixels, notes = stretched(values, self.low, self.high)
        else:
            pixels = lung_window(values - np.float32(self.offset))
            notes = (_hounsfield_note(self.offset),)
        return CTSlice(pixels, self.spacing_mm, "NIfTI", (*notes, *self.notes))

    def read_hounsfield(self, index: int) -> np.ndarray | None:
        """Its Hounsfield units, int16 (H, W), or None where it has none."""
        if self.offset is None:
            return None
        limits = np.iinfo(np.int16)
        units = np.nan_to_num(self.values(index) - np.float32(self.offset), nan=limits.min)
        return np.rint(np.clip(units, limits.min, limits.max)).astype(np.int16)


def is_nifti(data: bytes) -> bool:
    """Whether the bytes begin as a NIfTI file does, also if they are gzipped."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data[:_CHUNK], _HEADER_BYTES)
        except zlib.error:
            return False
    return _MAGIC.match(data) is not None


def open_volume(data: bytes) -> Volume:
    """The volume in a NIfTI file; no more than its header declares is ever unpacked.

    Raises:
        UnreadableSlice: it is damaged, incomplete or of a refused size.
        UnsupportedEncoding: it has colours, several volumes, or no axial planes.
    """
    from nibabel.orientations import OrientationError  # half a second, for which others do not wait
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    try:
        with np.errstate(all="ignore"):
            return _opened(data)
    except (*DECODING_ERRORS, HeaderDataError, OrientationError, WrapStructError) as error:
        raise UnreadableSlice(
            N_("The NIfTI volume is damaged or incomplete; copy or export it again.")
        ) from error


def _opened(data: bytes) -> Volume:
    packed = data.startswith(b"\x1f\x8b")
    file: BinaryIO = gzip.GzipFile(fileobj=BytesIO(data)) if packed else BytesIO(data)  # type: ignore[assignment]
    header = _header(file.read(_HEADER_BYTES))
    dtype, shape = header.get_data_dtype(), _shape(header)
    if dtype.kind not in "iuf":
        raise UnsupportedEncoding(
            N_("This NIfTI volume holds colours or complex numbers; export the grey CT.")
        )
    start, count = int(header["vox_offset"]), math.prod(shape)
    narrow = np.dtype(np.float32) if dtype.itemsize > 4 else dtype.newbyteorder("=")
    if count * narrow.itemsize > MAX_BYTES:
        raise UnreadableSlice(
            N_(
                "The NIfTI volume takes more than {most} MB unpacked. Export the chest alone.",
                most=MAX_BYTES // 1024**2,
            )
        )
    if not 0 <= start <= _MOST_BEFORE:
        raise ValueError("no header is that long")
    if packed:
        file.seek(start)
        stored = _unpacked(file, dtype, narrow, count)
    else:
        stored = np.frombuffer(data, dtype, count, start)
    return _upright(header, stored.reshape(shape, order="F"))


def _header(start: bytes) -> Any:  # noqa: ANN401
    """The header as nibabel reads it; its extensions, which may hold identifiers, are not read."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    kind = Nifti2Header if start[4:7] == b"n+2" else Nifti1Header
    return kind(start[: kind.template_dtype.itemsize], check=False)


def _shape(header: Any) -> tuple[int, int, int]:  # noqa: ANN401
    """Voxels along the three axes."""
    shape = [int(length) for length in header.get_data_shape()]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    shape += [1] * (3 - len(shape))
    if len(shape) > 3:
        raise UnsupportedEncoding(
            N_("This NIfTI file holds several volumes; save the CT of interest on its own.")
        )
    if min(shape) < 1:
        raise ValueError("an axis without voxels")
    return shape[0], shape[1], shape[2]


def _unpacked(file: BinaryIO, dtype: np.dtype, narrow: np.dtype, count: int) -> np.ndarray:
    """So many values, in no more room than they need to be shown."""
    values = np.empty(count, narrow)
    done, at_a_time = 0, _CHUNK // dtype.itemsize
    while done < count:
        wanted = min(at_a_time, count - done)
        chunk = file.read(wanted * dtype.itemsize)
        if len(chunk) < wanted * dtype.itemsize:
            raise EOFError("fewer voxels than declared")
        values[done : done + wanted] = np.frombuffer(chunk, dtype)
        done += wanted
    file.read(1)  # so that the checksum is compared
    return values


def _upright(header: Any, stored: np.ndarray) -> Volume:  # noqa: ANN401
    """Lay the axes the way slices are looked at, and judge what the values are."""
    from nibabel.orientations import (
        apply_orientation,
        axcodes2ornt,
        inv_ornt_aff,
        io_orientation,
        ornt_transform,
    )

    affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    if not np.isfinite(affine).all():
        raise ValueError("no affine")
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(_PLACES))
    laid = affine @ inv_ornt_aff(turn, stored.shape)
    stored = apply_orientation(stored, turn)
    columns, rows, slices = stored.shape
    check_size(rows, columns, MAX_CT_PIXELS)
    if slices > MAX_FRAMES:
        raise UnreadableSlice(
            N_(
                "This NIfTI volume has {slices:,} slices; at most {most:,} are read.",
                slices=slices,
                most=MAX_FRAMES,
            )
        )
    spacing, positions = _geometry(laid, slices)
    slope, intercept = header.get_slope_inter()
    slope, intercept = (1.0, 0.0) if slope is None else (slope, intercept)
    steps = tuple(slice(None, None, max(1, length // _SAMPLED)) for length in stored.shape)
    sample = stored[steps].astype(np.float64) * slope + intercept
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        raise ValueError("no numbers")
    offset = hounsfield_offset(sample)
    ends = [end.reduce(stored, axis=None) for end in (np.fmin, np.fmax)]  # whatever is no number
    low, high = sorted(float(end) * slope + intercept for end in ends)
    if not math.isfinite(high - low):
        raise ValueError("infinite values")
    placed = bool(header["sform_code"] or header["qform_code"])
    return Volume(
        stored,
        slope,
        intercept,
        low,
        high,
        offset,
        offset is None and np.unique(sample).size <= _MOST_LABELS,
        spacing,
        positions,
        () if placed else (_UNPLACED,),
    )


def _geometry(affine: np.ndarray, slices: int) -> tuple[tuple[float, float], tuple[float, ...]]:
    """Spacing of (rows, columns), and the position of each slice along the normal.

    Args:
        affine: of voxels laid as slices are looked at, to millimetres that rise to the patient's
            right, front and head.
        slices: how many there are.

    Raises:
        UnsupportedEncoding: the planes are too oblique to be axial.
    """
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    normal = np.cross(axes[:, 0], axes[:, 1])
    normal = normal / np.linalg.norm(normal) * np.sign(normal[2])
    if not normal[2] >= _TILT:
        raise UnsupportedEncoding(
            N_("The planes of this NIfTI volume are oblique; export it in axial planes.")
        )
    corners = affine[:3, 3] + np.arange(slices)[:, None] * axes[:, 2]
    positions = tuple(round(float(at), 3) for at in corners @ normal)
    return (float(lengths[1]), float(lengths[0])), positions


def _hounsfield_note(offset: int) -> str:
    if offset:
        return offset_note(offset)
    return N_(
        "Lung window for the network (centre {centre}, width {width} Hounsfield units).",
        centre=LUNG.centre,
        width=LUNG.width,
    )


def volume_series(file: File, volume: Volume, opened: LastOpened) -> Series:
    """The slices of a volume as a series.

    Args:
        file: that holds the volume.
        volume: as it was opened.
        opened: keeps the file that is read last.
    """
    several = len(volume.slices) > 1
    return Series(
        tuple(
            Place(file.name, frame + 1 if several else None, volume.positions[frame])
            for frame in volume.slices
        ),
        (),
        (),
        None,
        tuple((file, frame) for frame in volume.slices),
        open_volume,
        opened,
    )
