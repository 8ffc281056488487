"""How the cost grows with slices in a batch, pixels in a slice, slices in a series, sessions."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from covidct.benchmark.folder import walk_folder
from covidct.benchmark.samples import png_slice, write_series
from covidct.benchmark.server import Visitor, free_port, serve
from covidct.benchmark.settings import Settings
from covidct.benchmark.timing import exponent, fastest
from covidct.benchmark.verdict import walk
from covidct.imaging import read_slice
from covidct.inference.classifier import Classifier

_REPEATS = 3


def measure_growth(settings: Settings) -> dict[str, object]:
    """Seconds at several sizes, and the power of the size that they grow with; 1 is linear."""
    classifier = Classifier.load(settings.model)
    ct_slice = read_slice(png_slice(3, settings.side))
    with TemporaryDirectory() as scratch:
        batches = _grow(
            settings.batch_sizes,
            lambda size: partial(classifier.predict_many, [ct_slice] * size),
        )
        pixels = _grow(
            settings.pixel_sides,
            lambda side: partial(walk, classifier, png_slice(3, side)),
        )
        pixels["sizes"] = [side * side for side in settings.pixel_sides]
        folders = {
            length: write_series(Path(scratch) / str(length), length, settings.side)
            for length in settings.series_lengths
        }
        series = _grow(
            settings.series_lengths,
            lambda length: partial(walk_folder, classifier, folders[length]),
        )
        sessions = _sessions(settings, Path(scratch))
    measured = {
        "slices in a batch": batches,
        "pixels in a slice": pixels,
        "slices in a series": series,
        "sessions": sessions,
    }
    for curve in measured.values():
        curve["exponent"] = exponent(curve["sizes"], curve["seconds"])
    return {"growth": measured}


def _grow(sizes: Iterable[int], work: Callable[[int], Callable[[], object]]) -> dict[str, Any]:
    sizes = list(sizes)
    return {"sizes": sizes, "seconds": fastest(_REPEATS, *map(work, sizes))}


def _sessions(settings: Settings, scratch: Path) -> dict[str, Any]:
    """Seconds from seeing the page until the last of several sessions has its verdict."""
    port = free_port()
    file = scratch / "slice.png"
    file.write_bytes(png_slice(3, settings.side))
    taken = []
    with Visitor(port) as visitor, serve(port, settings.model):
        visitor.upload(file)  # loads the model
        for count in settings.session_counts:
            visits = [visitor.upload(file, sessions=count) for _ in range(_REPEATS)]
            taken.append(min(visit["verdict"] - visit["page"] for visit in visits))
    return {"sizes": list(settings.session_counts), "seconds": taken}
