"""Many slices: a folder on the command line against the bare forward pass, a ZIP on the page."""

from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.benchmark.samples import png_slice, write_archive, write_folder
from covidct.benchmark.server import Visitor, free_port, serve
from covidct.benchmark.settings import Settings
from covidct.benchmark.timing import seconds
from covidct.imaging import read_slice
from covidct.inference.cases import groups_at
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Judged, judge_slices

_ROUNDS = 5  # the folder is walked in parts, each beside as many bare forward passes
_DROPS = 3


def walk_folder(classifier: Classifier, folder: Path) -> int:
    """Judge all slices of a folder; how many there are."""
    cases = [case for group in groups_at([folder]) for case in group.cases]
    return sum(isinstance(outcome, Judged) for outcome in judge_slices(classifier, cases))


def measure_folder(settings: Settings) -> dict[str, object]:
    """The throughput of a folder as a share of that of the forward pass, and seconds of a drop.

    The bare throughput is that of one call with many slices, which keeps all processor cores busy.
    Both are of the same number of slices, in turn, so that a change of the machine's pace meets
    both; the start of the process and the loading of the model are in neither.
    """
    with TemporaryDirectory() as scratch:
        return _throughput(settings, Path(scratch)) | _drop(settings, Path(scratch))


def _throughput(settings: Settings, scratch: Path) -> dict[str, object]:
    classifier = Classifier.load(settings.model)
    part = max(1, settings.folder // _ROUNDS)
    crop = classifier.crop_thorax(read_slice(png_slice(3, settings.side)))
    images = classifier.network_input([crop] * part)
    folder = write_folder(scratch / "slices", part, settings.side)
    classifier.forward(images)  # opens the interpreters
    walked, bare = 0.0, 0.0
    for _ in range(_ROUNDS):
        walked += seconds(lambda: walk_folder(classifier, folder))
        bare += seconds(lambda: classifier.forward(images))
    return {
        "folder_vs_forward": bare / walked,
        "folder_slices": part * _ROUNDS,
        "slices_a_second": part * _ROUNDS / walked,
    }


def _drop(settings: Settings, scratch: Path) -> dict[str, object]:
    """Seconds from dropping a ZIP of slices in a new session to the page with the last verdict, on
    a server that has given one before; the quickest of three."""
    archive = write_archive(scratch / "many.zip", range(settings.archive), settings.side)
    one = write_archive(scratch / "one.zip", [settings.archive], settings.side)
    port = free_port()
    with Visitor(port) as visitor, serve(port, settings.model):
        visitor.upload(one)
        visits = [visitor.upload(archive) for _ in range(_DROPS)]
    return {
        "drop_100_s": min(visit["verdict"] - visit["drop"] for visit in visits),
        "dropped_slices": settings.archive,
    }
