"""What memory a server holds with the model loaded, and whether that grows."""

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.evaluation.bench.samples import png_slice
from covidct.evaluation.bench.server import Visitor, free_port, serve
from covidct.evaluation.bench.settings import Settings


def measure_memory(settings: Settings) -> dict[str, object]:
    """Resident memory of a server after its first upload and after many verdicts.

    Two ZIPs of slices are uploaded in turn, each in place of the other, so that every slice is
    judged anew; growth is counted from when both have been seen, and all that is loaded late has
    been loaded.
    """
    port = free_port()
    with TemporaryDirectory() as scratch, Visitor(port) as visitor, serve(port) as server:
        one = Path(scratch) / "slice.png"
        one.write_bytes(png_slice(0, settings.side))
        archives = [_archive(Path(scratch) / f"{name}.zip", name, settings) for name in range(2)]
        visitor.upload(one)
        loaded = server.resident_mb
        held = []
        for number in range(2 + max(1, settings.verdicts // settings.archive)):
            visitor.upload(archives[number % 2], sessions=0)
            held.append(server.resident_mb)
    return {
        "memory_growth": held[-1] / held[1] - 1,
        "server_resident_mb": loaded,
        "server_resident_mb_after": held[-1],
        "verdicts": settings.archive * (len(held) - 2),
    }


def _archive(path: Path, number: int, settings: Settings) -> Path:
    """A ZIP of slices that no other has."""
    seeds = range(number * settings.archive, (number + 1) * settings.archive)
    with zipfile.ZipFile(path, "w") as archive:
        for seed in seeds:
            archive.writestr(f"{seed:03d}.png", png_slice(seed, settings.side))
    return path
