"""How soon something can be seen: help, a verdict on the command line, first page and drop."""

from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.benchmark.process import run_python
from covidct.benchmark.samples import dicom_slice, png_slice
from covidct.benchmark.server import Visitor, free_port, serve
from covidct.benchmark.settings import Settings
from covidct.inference.store import find_model

_STARTS = 3


def measure_start(settings: Settings) -> dict[str, object]:
    """Processes of their own, the quickest of three each.

    Returns:
        help_s; ``classify_vs_tensorflow``, how long a verdict on one DICOM file takes beside
        importing TensorFlow, done in turn, and ``classify_peak_mib``; ``first_page_s`` from a
        server's start to the page, as it is sent to a browser that waits for it;
        ``first_verdict_after_drop_s`` from the first drop, as soon as the page stands, to all of
        the page with the verdict.
    """
    helps, verdicts, imports = [], [], []
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "one.dcm"
        file.write_bytes(dicom_slice(3, settings.side))
        classify = ["-m", "covidct", "classify", str(file)]
        classify += ["--model", str(find_model(settings.model).resolve())]
        for _ in range(_STARTS):
            helps.append(run_python("-m", "covidct", "--help").seconds)
            verdicts.append(run_python(*classify))
            imports.append(run_python("-c", "import tensorflow").seconds)
    pages, drops = zip(*(_first_visit(settings) for _ in range(_STARTS)), strict=True)
    classify_s = min(cost.seconds for cost in verdicts)
    return {
        "help_s": min(helps),
        "classify_vs_tensorflow": classify_s / min(imports),
        "classify_peak_mib": max(cost.peak_mib for cost in verdicts),
        "classify_s": classify_s,
        "import_tensorflow_s": min(imports),
        "first_page_s": min(pages),
        "first_verdict_after_drop_s": min(drops),
    }


def _first_visit(settings: Settings) -> tuple[float, float]:
    """Seconds from a server's start to its page, and from the first drop to the verdict."""
    port = free_port()
    with (
        TemporaryDirectory() as scratch,
        Visitor(port) as visitor,
        serve(port, settings.model) as server,
    ):
        file = Path(scratch) / "slice.png"
        file.write_bytes(png_slice(3, settings.side))
        seen = visitor.upload(file)
        return seen["page"] - server.started, seen["verdict"] - seen["drop"]
