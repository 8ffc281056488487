"""Stored values of a frame -> modality values, and what had to be guessed for it."""

import numpy as np

from covidct.imaging.dicom.header import Header
from covidct.imaging.dicom.stored import allocated_bits, as_signed
from covidct.imaging.dicom.window import is_hounsfield, look_up
from covidct.imaging.formats.pixels import check_values
from covidct.messages import N_

SIGN_GUESSED = N_(
    "The header does not say whether values may be below zero; by the values themselves they may."
)
_OFFSETS = {24: -1024, 0: -1000}  # by what air is stored as: scanners keep its noise above zero
_BRIGHTEST_AIR = 100


def modality_values(
    stored: np.ndarray, header: Header
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Modality values by PS3.3 section C.11.1; a malformed rescale is left out.

    Returns:
        Values, float64 (H, W); where they are measurements, bool (H, W); notes on guesses.

    Raises:
        UnreadableSlice: the measurements are no picture.
    """
    says = header.integer("PixelRepresentation", -1) in (0, 1)
    if not says and not header.float_bytes:
        bits = header.integer("BitsStored", allocated_bits(header))
        signed = as_signed(stored, bits)
        plain = _rescaled(stored, header)
        if not is_hounsfield(plain) and is_hounsfield(_rescaled(signed, header)):
            values, shown, notes = _with_offset(signed, header)
            return values, shown, (SIGN_GUESSED, *notes)
    return _with_offset(stored, header)


def _with_offset(
    stored: np.ndarray, header: Header
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    shown = ~_padding(stored, header)
    values = _rescaled(stored, header)
    check_values(values[shown])
    offset = 0 if header.number("RescaleIntercept") else _offset_by_air(values[shown], header)
    if not offset:
        return values, shown, ()
    note = N_(
        "The header gives no offset to Hounsfield units; by the air in the slice it is {offset}.",
        offset=offset,
    )
    return values + offset, shown, (note,)


def _offset_by_air(values: np.ndarray, header: Header) -> int:
    """What makes Hounsfield units of CT stored from zero on; 0 where nothing does."""
    if header.text("Modality") != "CT" or header.items.get("ModalityLUTSequence"):
        return 0
    if not values.size or values.min() < 0 or is_hounsfield(values, header.rescale_type):
        return 0
    dark = values[(values > 0) & (values < _BRIGHTEST_AIR)]
    air = float(np.median(dark)) if dark.size else 0.0
    nearest = min(_OFFSETS, key=lambda level: abs(level - air))
    for offset in (_OFFSETS[nearest], *_OFFSETS.values()):
        if is_hounsfield(values + offset, header.rescale_type):
            return offset
    return 0


def _padding(stored: np.ndarray, header: Header) -> np.ndarray:
    """Where the scanner stored no measurement, bool (H, W) (PS3.3 section C.7.5.1.1.2)."""
    keywords = ("PixelPaddingValue", "PixelPaddingRangeLimit")
    signed = header.is_signed or bool(stored.size and stored.min() < 0)
    ends = [header.integer(k, signed=signed) for k in keywords if header.raw.get(k)]
    if not ends or header.float_bytes:
        return np.zeros(stored.shape, dtype=bool)
    return (stored >= min(ends)) & (stored <= max(ends))


def _rescaled(stored: np.ndarray, header: Header) -> np.ndarray:
    looked_up = look_up(stored, header, "ModalityLUTSequence", header.is_signed)
    if looked_up is not None:
        return looked_up
    slope, intercept = header.number("RescaleSlope") or 1.0, header.number("RescaleIntercept")
    with np.errstate(over="ignore"):
        return stored * np.float64(slope) + (intercept or 0.0)
