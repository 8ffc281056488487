"""How the cost grows, as one picture: four curves beside a straight line each."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_PANEL, _MARGIN, _SCALE = (310, 250), (16, 30, 16, 40), 2  # left, top, right, bottom
_INK, _QUIET, _LINE = "#14242b", "#55666e", "#d3dde0"
_CURVE, _LINEAR = "#0e6173", "#a4431b"


def draw_growth(growth: Mapping[str, Mapping], path: Path) -> None:
    """Write a PNG: seconds over sizes, both logarithmic; dashed, what linear growth would be.

    Args:
        growth: as :func:`covidct.benchmark.growth.measure_growth` gives it.
        path: the file to write.
    """
    width, height = _PANEL
    picture = Image.new("RGB", (_SCALE * width * len(growth), _SCALE * height), "white")
    for position, (title, curve) in enumerate(growth.items()):
        _Panel(ImageDraw.Draw(picture), position, curve).draw(title)
    picture.quantize(64).save(path, "PNG", optimize=True)


class _Panel:
    """One of the plots, side by side."""

    def __init__(self, draw: ImageDraw.ImageDraw, position: int, curve: Mapping) -> None:
        self._draw, self._offset = draw, position * _PANEL[0]
        self._curve = curve
        self._sizes, self._seconds = (np.log(curve[name]) for name in ("sizes", "seconds"))
        self._linear = self._seconds[0] + self._sizes - self._sizes[0]
        both = np.concatenate([self._seconds, self._linear])
        self._bounds = both.min() - 0.3, both.max() + 0.5

    def draw(self, title: str) -> None:
        """Everything: title, frame, both lines, sizes and seconds."""
        left, top, right, bottom = _MARGIN
        frame = (left, top, _PANEL[0] - right, _PANEL[1] - bottom)
        self._draw.rectangle([*self._at(*frame[:2]), *self._at(*frame[2:])], outline=_LINE, width=2)
        self._text((left, 8), f"{title}: power {self._curve['exponent']:.2f}", _INK, "lt")
        points = [self._place(*point) for point in zip(self._sizes, self._seconds, strict=True)]
        ends = [self._place(self._sizes[i], self._linear[i]) for i in (0, -1)]
        for share in np.arange(0, 1, 0.05):
            start, end = (
                tuple(np.add(ends[0], np.subtract(ends[1], ends[0]) * at))
                for at in (share, share + 0.025)
            )
            self._draw.line([start, end], fill=_LINEAR, width=_SCALE)
        self._draw.line(points, fill=_CURVE, width=2 * _SCALE)
        for (x, y), size, taken in zip(
            points, self._curve["sizes"], self._curve["seconds"], strict=True
        ):
            self._draw.circle((x, y), 4 * _SCALE, fill=_CURVE)
            below = self._at(0, _PANEL[1] - bottom + 7)[1]
            self._write((x, below), _short(size), _QUIET, "mt")
            self._write((x, y - 8 * _SCALE), f"{taken:.2g} s", _QUIET, "mb")

    def _place(self, size: float, seconds: float) -> tuple[float, float]:
        left, top, right, bottom = _MARGIN
        low, high = self._bounds
        first, last = self._sizes[0], self._sizes[-1]
        inner = _PANEL[0] - left - right - 60
        return self._at(
            left + 30 + inner * (size - first) / (last - first),
            top + (_PANEL[1] - top - bottom) * (high - seconds) / (high - low),
        )

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return _SCALE * (self._offset + x), _SCALE * y

    def _text(self, at: tuple[float, float], text: str, colour: str, anchor: str) -> None:
        self._write(self._at(*at), text, colour, anchor)

    def _write(self, at: tuple[float, float], text: str, colour: str, anchor: str) -> None:
        font = ImageFont.load_default(12 * _SCALE)
        self._draw.text(at, text, fill=colour, font=font, anchor=anchor)


def _short(size: int) -> str:
    """A number of few characters."""
    if size >= 10**6:
        return f"{size / 10**6:.1f} M"
    return f"{size / 1000:.0f} k" if size >= 10**4 else str(size)
