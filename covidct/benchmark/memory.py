"""What memory a server holds: after a verdict, after many, and with many sessions."""

from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.benchmark.samples import png_slice, write_archive, write_folder
from covidct.benchmark.server import Visitor, free_port, serve
from covidct.benchmark.settings import Settings


def measure_memory(settings: Settings) -> dict[str, object]:
    """Resident memory of a server after its first verdict, after many of them, and of another one
    whose sessions have dropped a slice and seen its verdict each."""
    with TemporaryDirectory() as scratch:
        return _growth(settings, Path(scratch)) | _sessions(settings, Path(scratch))


def _growth(settings: Settings, scratch: Path) -> dict[str, object]:
    """Two ZIPs of slices are uploaded in turn, each in place of the other, so that every slice is
    judged anew; growth is counted from when both have been seen, and all that is loaded late has
    been loaded."""
    one = scratch / "slice.png"
    one.write_bytes(png_slice(0, settings.side))
    size = settings.archive
    archives = [
        write_archive(scratch / f"{start}.zip", range(start, start + size), settings.side)
        for start in (0, size)
    ]
    held = []
    port = free_port()
    with Visitor(port) as visitor, serve(port, settings.model) as server:
        visitor.upload(one)
        loaded = server.resident_mb
        for number in range(2 + max(1, settings.verdicts // size)):
            visitor.upload(archives[number % 2], sessions=0)
            held.append(server.resident_mb)
    return {
        "memory_growth": held[-1] / held[1] - 1,
        "server_resident_mb": loaded,
        "server_resident_mb_after": held[-1],
        "verdicts": size * (len(held) - 2),
    }


def _sessions(settings: Settings, scratch: Path) -> dict[str, object]:
    """No two sessions drop the same slice: Streamlit keeps equal pictures once."""
    slices = write_folder(scratch / "slices", settings.sessions, settings.side)
    port = free_port()
    with Visitor(port) as visitor, serve(port, settings.model) as server:
        visitor.upload(*sorted(slices.iterdir()), sessions=settings.sessions)
        return {
            "server_resident_30_sessions_mb": server.resident_mb,
            "resident_sessions": settings.sessions,
        }
