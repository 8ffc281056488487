"""What memory a server holds with the model loaded, and whether that grows."""

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.evaluation.bench.samples import png_slice
from covidct.evaluation.bench.server import Visitor, free_port, serve
from covidct.evaluation.bench.settings import Settings


def measure_memory(settings: Settings) -> dict[str, object]:
    """Resident memory of a server after its first upload and after many verdicts.

    Slices are uploaded in ZIPs, each in place of the one before; growth is counted from the first
    ZIP on, when all that is loaded late has been loaded.
    """
    port = free_port()
    with TemporaryDirectory() as scratch, Visitor(port) as visitor, serve(port) as server:
        one, many = Path(scratch) / "slice.png", Path(scratch) / "slices.zip"
        one.write_bytes(png_slice(0, settings.side))
        with zipfile.ZipFile(many, "w") as archive:
            for number in range(settings.archive):
                archive.writestr(f"{number:03d}.png", png_slice(number, settings.side))
        visitor.upload(one)
        loaded = server.resident_mb
        held = []
        for _ in range(1 + max(1, settings.verdicts // settings.archive)):
            visitor.upload(many, sessions=0)
            held.append(server.resident_mb)
    return {
        "memory_growth": held[-1] / held[0] - 1,
        "server_resident_mb": loaded,
        "server_resident_mb_after": held[-1],
        "verdicts": settings.archive * (len(held) - 1),
    }
