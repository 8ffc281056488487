"""Contact sheets of the slices on which opacities were found worst, to be leafed through."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from covidct.evaluation.opacities.measures import Found
from covidct.imaging.formats.png import encode_png
from covidct.messages import N_

SHEETS_FOLDER = "sheets"
FALSE, MISSED = "worst-false", "worst-missed"
TITLES = {FALSE: N_("Worst false opacities"), MISSED: N_("Worst missed opacities")}
DRAWN_HUE, FOUND_HUE = (230, 159, 0), (86, 180, 233)  # orange and sky blue of Okabe and Ito
_COLUMNS, _ROWS, _MOST_SHEETS = 4, 3, 4
_MOST = _COLUMNS * _ROWS * _MOST_SHEETS
_CAPTION = 36  # pixels below each slice
_PAPER, _INK = 255, (40, 40, 40)


def write_sheets(found: Sequence[Found], folder: Path) -> list[Path]:
    """Draw sheets of the slices with most false, and of those with most missed opacity.

    On each slice what people drew is outlined in orange and what was found in blue. Slices are in
    the order of the part of the lungs that is false or missed, those without any left out.

    Args:
        found: by networks that saw none of each slice's patient.
        folder: for PNG files such as ``worst-false-01.png``, made if needed.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, wrong in ((FALSE, _false), (MISSED, _missed)):
        shares = [wrong(one).sum() / max(1, one.masked.lungs.sum()) for one in found]
        worst = [found[i] for i in np.argsort(shares)[::-1][:_MOST] if shares[i] > 0]
        each = _COLUMNS * _ROWS
        for number, start in enumerate(range(0, len(worst), each), 1):
            files.append(folder / f"{name}-{number:02d}.png")
            files[-1].write_bytes(encode_png(_sheet(worst[start : start + each])))
    return files


def list_sheets(folder: Path, name: str) -> list[Path]:
    """The sheets of a kind, :data:`FALSE` or :data:`MISSED`, that a folder holds, in order."""
    return sorted(folder.glob(f"{name}-*.png"))


def _false(one: Found) -> np.ndarray:
    return one.mask & one.lungs & ~(one.masked.opacities > 0)


def _missed(one: Found) -> np.ndarray:
    return (one.masked.opacities > 0) & ~one.mask


def _sheet(some: Sequence[Found]) -> np.ndarray:
    tiles = [_tile(one) for one in some]
    empty = np.full_like(tiles[0], _PAPER)
    tiles += [empty] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)]
    return np.vstack(rows)


def _tile(one: Found) -> np.ndarray:
    """A slice under both outlines with its caption, uint8 (h, w, 3)."""
    picture = cv2.cvtColor(one.masked.grey, cv2.COLOR_GRAY2RGB)
    for mask, hue in ((one.masked.opacities > 0, DRAWN_HUE), (one.mask & one.lungs, FOUND_HUE)):
        outlines, _ = cv2.findContours(
            mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(picture, outlines, -1, hue, 1, cv2.LINE_AA)
    caption = np.full((_CAPTION, picture.shape[1], 3), _PAPER, np.uint8)
    name = one.masked.file.stem if one.masked.file else one.masked.patient
    lines = (
        f"{one.masked.source} {name}",
        f"drawn {one.masked.share:.0%}, found {one.share:.0%} of the lungs",
    )
    for number, text in enumerate(lines, 1):
        place = (4, number * _CAPTION // 2 - 5)
        cv2.putText(caption, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, _INK, 1, cv2.LINE_AA)
    return np.vstack([picture, caption])
