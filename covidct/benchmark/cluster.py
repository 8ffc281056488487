"""Dask workers: two of one thread against one."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from covidct.benchmark.samples import write_folder
from covidct.benchmark.settings import Settings
from covidct.benchmark.timing import seconds
from covidct.imaging.anatomy.gate import check_lung_slice
from covidct.inference.cases import Case, groups_at
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Judged

_ROUNDS = 2
_FIRST = 64  # slices, of which each worker is given some and opens the model


def measure_cluster(settings: Settings) -> dict[str, object]:
    """How many times the throughput of one worker two have; nothing where Dask is not installed.

    Both judge the same slices in turn, so that a change of the machine's pace meets both. Listing
    the slices and the start of the workers are in neither.
    """
    if not find_spec("distributed"):
        return {}
    from distributed import Client

    from covidct.cluster.connect import local_workers
    from covidct.cluster.judge import judge_on

    classifier = Classifier.load(settings.model)
    with TemporaryDirectory() as scratch, local_workers(1) as one, local_workers(2) as two:
        folder = write_folder(Path(scratch) / "slices", settings.on_workers, settings.side)
        cases = [case for group in groups_at([folder]) for case in group.cases]

        def walk(client: Client, some: Sequence[Case]) -> None:
            outcomes = judge_on(client, None, classifier, some, check_lung_slice)
            assert all(isinstance(outcome, Judged) for outcome in outcomes)

        for client in (one, two):
            walk(client, cases[:_FIRST])
        alone, together = 0.0, 0.0
        for _ in range(_ROUNDS):
            alone += seconds(lambda: walk(one, cases))
            together += seconds(lambda: walk(two, cases))
    return {"two_workers_vs_one": alone / together, "cluster_slices": len(cases)}
