"""A folder of slices, as the command line walks it, against the bare batched forward pass."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from covidct.evaluation.bench.samples import png_slice, write_folder
from covidct.evaluation.bench.settings import Settings
from covidct.evaluation.bench.timing import fastest, seconds
from covidct.imaging import read_slice
from covidct.imaging.gate import check_lung_slice
from covidct.imaging.series import gather
from covidct.imaging.sources import files_at
from covidct.inference.classifier import Classifier
from covidct.inference.pipeline import judge_many, reads_of

_ROUNDS = 5  # the folder is walked in parts, each beside as many bare forward passes


def walk_folder(classifier: Classifier, folder: Path) -> int:
    """Judge all slices of a folder; how many there are."""
    reads = [
        lambda read=read: check_lung_slice(read())
        for group in gather(files_at(folder))
        for read in reads_of(group)
    ]
    return sum(judged.prediction is not None for judged in judge_many(classifier, reads))


def measure_folder(settings: Settings) -> dict[str, object]:
    """The throughput of a folder as a share of that of the forward pass with the best batch.

    Both are of the same number of slices, in turn, so that a change of the machine's pace meets
    both; the start of the process and the loading of the model are in neither.
    """
    classifier = Classifier.load(settings.model)
    chest = classifier.find_chest(read_slice(png_slice(3, settings.side)))
    images = {size: classifier.network_input([chest] * size) for size in settings.batches}
    one_each = [lambda size=size: classifier.forward(images[size]) for size in settings.batches]
    a_slice = np.divide(fastest(3, *one_each), settings.batches)
    best = settings.batches[int(np.argmin(a_slice))]
    part = max(best, settings.folder // _ROUNDS)
    walked, bare = 0.0, 0.0
    with TemporaryDirectory() as scratch:
        folder = write_folder(Path(scratch) / "slices", part, settings.side)
        for _ in range(_ROUNDS):
            walked += seconds(lambda: walk_folder(classifier, folder))
            bare += seconds(lambda: _forward(classifier, images[best], part))
    return {
        "folder_vs_forward": bare / walked,
        "folder_slices": part * _ROUNDS,
        "slices_a_second": part * _ROUNDS / walked,
        "best_batch": best,
    }


def _forward(classifier: Classifier, images: np.ndarray, slices: int) -> None:
    """The bare forward pass of so many slices, in batches of the size of `images`."""
    for start in range(0, slices, len(images)):
        classifier.forward(images[: slices - start])
