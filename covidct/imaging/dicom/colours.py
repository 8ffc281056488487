"""Grey pictures that are stored in colours, as screen grabs and converters store them."""

import numpy as np

from covidct.errors import UnsupportedEncoding
from covidct.imaging.dicom.header import Header
from covidct.imaging.formats.pixels import COLOURED, FEWEST_COLOURED
from covidct.messages import N_

GREY_IN_COLOURS = N_(
    "The header stores this grey picture in colours, so its grey levels are shown as they are."
)


def grey_of(stored: np.ndarray, header: Header) -> np.ndarray:
    """The grey levels of a picture stored in three channels of 8 bits.

    Args:
        stored: whole numbers (H, W, 3).
        header: of the frame.

    Returns:
        uint8 (H, W).

    Raises:
        UnsupportedEncoding: it is coloured, or deeper.
    """
    native = not header.encapsulated  # decoders give RGB, whatever was stored
    luma = native and header.text("PhotometricInterpretation").startswith("YBR_FULL")
    if luma:
        coloured = np.abs(stored[..., 1:] - 128).max(axis=-1) > COLOURED / 2
    else:
        coloured = np.ptp(stored, axis=-1) > COLOURED
    if stored.max() > 255 or np.count_nonzero(coloured) >= FEWEST_COLOURED:
        raise UnsupportedEncoding(
            N_("This DICOM file holds a colour image; upload the original grey CT slice.")
        )
    grey = stored[..., 0] if luma else np.median(stored, axis=-1)
    return grey.astype(np.uint8)
