"""Modality values as grey levels: lung window, the header's window, or the full range."""

from dataclasses import dataclass

import numpy as np

from covidct.imaging.dicom.header import Header
from covidct.imaging.formats.pixels import ramp
from covidct.messages import N_


@dataclass(frozen=True, slots=True)
class Window:
    """The Hounsfield units that are shown between black and white."""

    centre: float
    width: float

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Hounsfield units as grey levels, uint8 of the same shape."""
        return ramp(values, self.centre - self.width / 2, self.centre + self.width / 2)


LUNG = Window(-600, 1500)  # what the network is given, whatever a person looks at
VIEWING_WINDOWS = {
    N_("Lung"): LUNG,
    N_("Wide"): Window(-250, 2500),
    N_("Mediastinal"): Window(40, 400),
}

_OTHER_QUANTITIES = {"OD", "MGML", "Z_EFF", "ED", "EDW", "PCT"}  # PS3.3 section C.11.1.1.2

_NO_WINDOW = N_("No window in the header: full range shown.")
_WINDOW_USED = N_("The window in the header was used.")
_WINDOW_HIDES = N_("The window in the header hides the picture: full range shown.")
_TABLE_USED = N_("The look-up table in the header was used.")
_TABLE_HIDES = N_("The look-up table in the header hides the picture: full range shown.")


def show(
    values: np.ndarray, shown: np.ndarray, header: Header
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The first of lung window, header's window and full range that suits, and what was done."""
    measured = values[shown]
    low, high = measured.min(), measured.max()
    reversed_display = header.text("PhotometricInterpretation") == "MONOCHROME1"
    if is_hounsfield(measured, header.rescale_type):
        note = N_(
            "Lung window for the network (centre {centre}, width {width} Hounsfield units).",
            centre=LUNG.centre,
            width=LUNG.width,
        )
        kept = N_("The header asks for a reversed display, but air is shown dark as usual.")
        return lung_window(values), (note, kept) if reversed_display else (note,)

    notes: tuple[str, ...] = ()
    if header.text("Modality") == "CT" or header.text("RescaleIntercept"):
        notes = (
            N_(
                "The stored values are not Hounsfield units although the header implies so: they "
                "run from {low:g} to {high:g}.",
                low=low,
                high=high,
            ),
        )
    flip = np.uint8(255 if reversed_display else 0)
    windowed, used, hides = _header_window(values, header), _WINDOW_USED, _WINDOW_HIDES
    if windowed is None:
        windowed, used, hides = _header_lut(values, header), _TABLE_USED, _TABLE_HIDES
    if windowed is None:
        note = _NO_WINDOW
    elif not _has_contrast(windowed[shown] ^ flip):
        windowed, note = None, hides
    else:
        note = used
    greys = ramp(values, low, high) if windowed is None else windowed
    return greys ^ flip, (*notes, note)


def lung_window(values: np.ndarray) -> np.ndarray:
    """Hounsfield units as the network is given them, uint8 of the same shape."""
    return LUNG.apply(values)


def is_hounsfield(values: np.ndarray, rescale_type: str = "") -> bool:
    """Whether rescaled values can be Hounsfield units, judged by the values, not by the header.

    Headers lie both ways: converted series claim a rescale of 0 and 1 for values that were
    windowed, others hold Hounsfield units under any modality. By definition air is -1000 and water
    0 (PS3.3 section C.11.1.1.2), hence an axial chest slice must show

    - air or lung: at least 5 % of the values below -500;
    - a body: at least 5 % above -300, whose median, since fat, muscle and blood outweigh bone and
      contrast medium, lies between -150 and 200.

    Args:
        values: rescaled values without padding, of any shape.
        rescale_type: RescaleType; a known quantity other than HU (optical density, effective
            atomic number, …) settles the matter. Scanners spell HU in many ways, so that anything
            else settles nothing.
    """
    if rescale_type.upper() in _OTHER_QUANTITIES:
        return False
    body = values[values > -300]
    enough_air = np.mean(values < -500) >= 0.05
    return bool(enough_air and body.size >= 0.05 * values.size and -150 <= np.median(body) <= 200)


def _header_window(values: np.ndarray, header: Header) -> np.ndarray | None:
    """The VOI LUT of PS3.3 section C.11.2.1.2, uint8 (H, W), or None where there is none."""
    centre, width = header.number("WindowCenter"), header.number("WindowWidth")
    function = header.text("VOILUTFunction")
    if centre is None or width is None:
        return None
    if function not in ("LINEAR_EXACT", "SIGMOID"):
        centre, width = centre - 0.5, width - 1
    if width < 1e-6:
        return None
    if function == "SIGMOID":
        exponent = np.clip(-4 * (values - centre) / width, -50, 50)
        return np.rint(255 / (1 + np.exp(exponent))).astype(np.uint8)
    return ramp(values, centre - width / 2, centre + width / 2)


def _header_lut(values: np.ndarray, header: Header) -> np.ndarray | None:
    """The VOI look-up table of PS3.3 section C.11.2.1.1, uint8 (H, W), or None without one."""
    signed = header.is_signed or (header.number("RescaleIntercept") or 0) < 0
    levels = look_up(np.rint(values), header, "VOILUTSequence", signed)
    if levels is None:
        return None
    depth = header.items["VOILUTSequence"][0].integers("LUTDescriptor")[2]
    return ramp(levels, 0, 2**depth - 1)


def look_up(values: np.ndarray, header: Header, sequence: str, signed: bool) -> np.ndarray | None:
    """What the first look-up table of a sequence makes of whole numbers (PS3.3 section C.11.1.1).

    Args:
        values: (H, W).
        header: of the frame.
        sequence: "ModalityLUTSequence" or "VOILUTSequence".
        signed: whether the first number that the table maps may be below zero.

    Returns:
        float64 (H, W), or None where there is no table, or a malformed one.
    """
    table = next(iter(header.items.get(sequence, ())), None)
    if table is None:
        return None
    descriptor = table.integers("LUTDescriptor")
    if len(descriptor) != 3 or not 8 <= descriptor[2] <= 16:
        return None
    entries, first = descriptor[0] or 2**16, table.integers("LUTDescriptor", signed)[1]
    packed = len(table.raw.get("LUTData", b"")) < 2 * entries  # two entries of 8 bits in a word
    levels = table.integers("LUTData", size=1 if packed else 2)[:entries]
    if len(levels) < entries:
        return None
    at = np.clip(values - first, 0, entries - 1).astype(np.int64)
    return np.asarray(levels, dtype=np.float64)[at]


def _has_contrast(greys: np.ndarray) -> bool:
    """Whether a window shows a slice, rather than near white: headers' windows can lie as well."""
    dark, bright = np.percentile(greys, (1, 99))
    return bool(bright - dark >= 32 and np.mean(greys == 255) <= 0.7)
