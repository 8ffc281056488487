"""Frames of grey DICOM objects as CTSlices."""

import numpy as np

from covidct.errors import UnreadableSlice, UnsupportedEncoding
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.colours import GREY_IN_COLOURS, grey_of
from covidct.imaging.dicom.compression import check_codec, is_codestream
from covidct.imaging.dicom.header import Header, read_header
from covidct.imaging.dicom.orientation import TURNED, Turn, upright
from covidct.imaging.dicom.rescale import modality_values
from covidct.imaging.dicom.stored import frame_length, stored_values
from covidct.imaging.dicom.window import is_hounsfield, show
from covidct.imaging.formats.pixels import (
    DECODING_ERRORS,
    MAX_CT_PIXELS,
    MAX_FRAMES,
    check_size,
    check_values,
)
from covidct.messages import N_

_THREE_CHANNELS = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
BELOW_ANY_WINDOW = -32768  # stands for padding among Hounsfield units


def read_dicom(data: bytes, frame: int | None = None) -> CTSlice:
    """Read one DICOM slice.

    Args:
        data: the bytes of a file.
        frame: which frame of several, from 0; None where there must be only one.

    Raises:
        UnreadableSlice: damaged, incomplete, without pixels, or of a refused size.
        UnsupportedEncoding: several frames, colour, or a compression that cannot be read here.
    """
    return frame_slice(*_chosen(data, frame))


def read_dicom_hounsfield(data: bytes, frame: int | None = None) -> np.ndarray | None:
    """The Hounsfield units of a DICOM slice, as :func:`frame_hounsfield` gives them.

    Raises:
        UnreadableSlice: as for :func:`read_dicom`.
    """
    return frame_hounsfield(*_chosen(data, frame))


def frame_slice(header: Header, index: int) -> CTSlice:
    """One frame, from 0, of an object whose header has been read, turned upright.

    Raises:
        UnreadableSlice: as for :func:`read_dicom`.
    """
    stored, header = _stored(header, index)
    turn = upright(header)
    notes: tuple[str, ...]
    if stored.ndim == 3:
        greys = grey_of(stored, header)
        notes = (GREY_IN_COLOURS,)
        check_values(greys)
    else:
        values, shown, guessed = modality_values(stored, header)
        greys, said = show(values, shown, header)
        greys[~shown] = 0
        notes = (*guessed, *said)
    spacing = header.numbers("PixelSpacing", 2)[:: -1 if turn.transposed else 1]
    known = bool(spacing) and min(spacing) > 0
    return CTSlice(
        np.ascontiguousarray(turn.of(greys)),
        (spacing[0], spacing[1]) if known else None,
        "DICOM",
        notes if turn == Turn() else (*notes, TURNED),
    )


def frame_hounsfield(header: Header, index: int) -> np.ndarray | None:
    """The Hounsfield units of one frame, int16 (H, W), for a person to view in any window.

    Turned upright as :func:`frame_slice`. Padding is `BELOW_ANY_WINDOW`. None where the values
    cannot be Hounsfield units.

    Raises:
        UnreadableSlice: as for :func:`read_dicom`.
    """
    stored, header = _stored(header, index)
    if stored.ndim == 3:
        return None
    values, shown, _ = modality_values(stored, header)
    if not is_hounsfield(values[shown], header.rescale_type):
        return None
    limits = np.iinfo(np.int16)
    rounded = np.rint(np.clip(values, limits.min, limits.max)).astype(np.int16)
    marked = np.where(shown, rounded, np.int16(BELOW_ANY_WINDOW))
    return np.ascontiguousarray(upright(header).of(marked))


def frame_bytes(header: Header, index: int) -> bytes:
    """The pixel data of one frame, from 0, as they are stored.

    Raises:
        UnreadableSlice: no picture, a colour picture, or cut off.
        UnsupportedEncoding: in a compression that cannot be read.
    """
    _refuse_unsupported(header)
    if not header.encapsulated:
        pixels, needed = header.raw["PixelData"], frame_length(header)
        if header.frames == 1 and len(pixels) < needed and is_codestream(pixels):
            return pixels
        _check_length(len(pixels), needed, header.frames)
        return pixels[index * needed : (index + 1) * needed]
    frame = _fragments(header, index)
    check_codec(frame, header.syntax)
    return frame


def _fragments(header: Header, index: int) -> bytes:
    """The bytes of a compressed frame, joined."""
    try:
        return b"".join(header.compressed_frames[index])
    except DECODING_ERRORS as error:
        raise _damaged() from error


def _chosen(data: bytes, frame: int | None) -> tuple[Header, int]:
    """The header of a file and the number of the frame that is meant, from 0."""
    header = read_header(data)
    _refuse_unsupported(header)
    if frame is None and header.frames > 1:
        raise UnsupportedEncoding(
            N_(
                "This DICOM file holds {frames} frames; open it as a series, or name a frame.",
                frames=header.frames,
            )
        )
    if frame is not None and not 0 <= frame < header.frames:
        raise UnreadableSlice(
            N_("The file has no such frame: it holds {frames}.", frames=header.frames)
        )
    return header, frame or 0


def _refuse_unsupported(header: Header) -> None:
    """Everything that can be refused before decoding."""
    if not header.raw.get("PixelData"):
        raise UnreadableSlice(
            N_(
                "This DICOM file holds no pixel data: it is a report, a plan or an index. Upload "
                "the image itself."
            )
        )
    photometric = header.text("PhotometricInterpretation") or "MONOCHROME2"
    channels = header.integer("SamplesPerPixel", 1)
    if channels != (1 if photometric.startswith("MONOCHROME") else 3) or (
        channels == 3 and photometric not in _THREE_CHANNELS
    ):
        raise UnsupportedEncoding(
            N_("This DICOM file holds a colour image; upload the original grey CT slice.")
        )
    if not {"Rows", "Columns"} <= header.raw.keys():
        raise UnreadableSlice(
            N_(
                "The header of the DICOM file does not say how many rows and columns the picture "
                "has; export it again."
            )
        )
    check_size(header.integer("Rows"), header.integer("Columns"), MAX_CT_PIXELS)
    if header.frames > MAX_FRAMES:
        raise UnreadableSlice(
            N_(
                "This DICOM file claims {frames:,} frames; at most {most:,} are read.",
                frames=header.frames,
                most=MAX_FRAMES,
            )
        )


def _stored(header: Header, index: int) -> tuple[np.ndarray, Header]:
    """Stored values of a frame, (H, W) or (H, W, 3), and its own header."""
    pixels = frame_bytes(header, index)
    header = header.of_frame(index)
    compressed = header.encapsulated or len(pixels) < frame_length(header)
    try:
        return stored_values(pixels, header, compressed), header
    except DECODING_ERRORS as error:
        raise _damaged() from error


def _check_length(actual: int, frame: int, frames: int) -> None:
    """Refuse native pixel data that are cut off, or that hide further frames."""
    if not frame:
        raise _damaged()
    if actual < frame * frames:
        raise UnreadableSlice(
            N_(
                "The DICOM file is incomplete: only {actual} of {needed} bytes of pixel data are "
                "there. Copy or export it again.",
                actual=actual,
                needed=frame * frames,
            )
        )
    if actual >= frame * (frames + 1):
        raise UnsupportedEncoding(
            N_("This DICOM file holds more frames than it declares; export the slice on its own.")
        )


def _damaged() -> UnreadableSlice:
    return UnreadableSlice(
        N_("The pixel data of the DICOM file are damaged or incomplete; copy or export it again.")
    )
