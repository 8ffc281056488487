"""How soon something can be seen: help, first page, first verdict."""

from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.evaluation.bench.samples import png_slice
from covidct.evaluation.bench.server import Visitor, free_port, python, serve
from covidct.evaluation.bench.settings import Settings
from covidct.evaluation.bench.timing import fastest, seconds
from covidct.inference.store import MODEL_FILE, find_model

_STARTS = 3
_IMPORT_AND_LOAD = "import sys, tensorflow; tensorflow.keras.models.load_model(sys.argv[1], None)"


def measure_start(settings: Settings) -> dict[str, object]:
    """Seconds of ``--help``; seconds from a server's start to the page, as it is sent to a browser
    that waits for it, and to the verdict on a slice that is uploaded at once, as a ratio to
    importing TensorFlow and loading the model in a process of their own."""
    model = str(find_model(settings.model) / MODEL_FILE)
    pages, verdicts, loads = [], [], []
    for _ in range(_STARTS):
        page, verdict = _first_visit(settings.side)
        pages.append(page)
        verdicts.append(verdict)
        loads.append(seconds(lambda: python(["-c", _IMPORT_AND_LOAD, model])))
    return {
        "first_page_s": min(pages),
        "first_verdict_vs_import": min(verdicts) / min(loads),
        "help_s": fastest(_STARTS, lambda: python(["-m", "covidct", "--help"]))[0],
        "first_verdict_s": min(verdicts),
        "import_and_load_s": min(loads),
    }


def _first_visit(side: int) -> tuple[float, float]:
    port = free_port()
    with TemporaryDirectory() as scratch, Visitor(port) as visitor, serve(port) as server:
        file = Path(scratch) / "slice.png"
        file.write_bytes(png_slice(3, side))
        seen = visitor.upload(file)
        return seen["page"] - server.started, seen["verdict"] - server.started
