"""Slices looked at by the workers of a Dask cluster: the same features to the bit as here.

Workers read the slices from files, which all machines find by the same path, and so is the graph of
the network handed over: in a file, which each opens once. A task names slices and holds none.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import cv2
import numpy as np
from distributed import Client, get_worker

import covidct
from covidct.cluster.connect import connect
from covidct.cluster.window import as_they_come, in_order
from covidct.cluster.worker import refuse_other_version
from covidct.data.index import Item
from covidct.data.prepared import PreparedSlices, prepare
from covidct.errors import ClusterError
from covidct.evaluation.recipes.looks import Look, Looker
from covidct.imaging.anatomy.segmentation import segmentation_id
from covidct.messages import N_
from covidct.models.backbones import get_backbone
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph, GraphError, read_verified

_SLICES = 4  # in a task: some seconds of work, a megabyte of features
_opening = Lock()


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of a look have in common.

    Attributes:
        look: at slices.
        graph: file of the network, as every machine finds it.
        sha256: of that file.
        backbone: whose network it is.
        image_size: rows and columns of its input.
        segmentation: SHA-256 of the network that finds the lungs, where the run was started.
        version: of covidct, likewise.
    """

    look: Look
    graph: Path
    sha256: str
    backbone: str
    image_size: tuple[int, int]
    segmentation: str
    version: str = covidct.__version__


@contextmanager
def looker_of(address: str, folder: Path) -> Iterator[Looker]:
    """What looks at slices on a cluster, as :func:`.looks.look_here` does here.

    Args:
        address: as :func:`covidct.cluster.connect.connect` takes it.
        folder: that all machines find by the same path; it holds the network's graph meanwhile.

    Raises:
        ClusterError: there is no such cluster, or it was lost on the way.
        ConfigError: the address is none.
    """
    with connect(address) as client, TemporaryDirectory(dir=folder, prefix="cluster-") as scratch:
        yield partial(look_on, client, Path(scratch).absolute())


def look_on(
    client: Client,
    folder: Path,
    look: Look,
    trunks: TrunkMaps,
    slices: PreparedSlices,
    progress: Callable[[Iterable], Iterable] = iter,
) -> np.ndarray:
    """A :class:`.looks.Looker`: workers look at a few slices at a time.

    What a worker cannot read, reads otherwise than this process did, or does not survive, is looked
    at in this process.

    Args:
        client: of the cluster.
        folder: for the graph of the network, where workers find it as well.
        look: a function of a module, or a partial of one.
        trunks: of the network.
        slices: of which the shipped network found the lungs.
        progress: wraps the iteration over the slices, to show how far it is.

    Raises:
        ClusterError: the cluster was lost, or a worker failed.
    """
    assert slices.segmenter is None
    digest = sha256(trunks.graph.data).hexdigest()
    graph = folder / f"{digest}.tflite"
    if not graph.exists():
        graph.write_bytes(trunks.graph.data)
    size = slices.pixels.shape[1:3]
    job = Job(look, graph, digest, trunks.backbone.name, size, segmentation_id())
    numbered = [
        [(n, replace(item, path=item.path.absolute())) for n, item in enumerate(part.items, first)]
        for first, part in slices.parts(_SLICES)
    ]
    with closing(as_they_come(client, partial(_look_on_worker, job), numbered)) as answered:
        found = in_order(_rows(look, trunks, slices, *one) for one in answered)
        return np.stack([row for _, row in zip(progress(slices.items), found, strict=True)], axis=1)


def _rows(
    look: Look,
    trunks: TrunkMaps,
    slices: PreparedSlices,
    task: Sequence[tuple[int, Item]],
    answer: tuple[str, np.ndarray] | None,
) -> Mapping[int, np.ndarray]:
    """Features (K, C) of the slices of a task by their numbers."""
    first = task[0][0]
    part = slices.part(first, len(task))
    digest, features = answer or ("", np.empty(0))
    if digest != _digest(part):
        features = look(trunks, part, first)
    return dict(enumerate(np.moveaxis(features, 1, 0), first))


def _digest(slices: PreparedSlices) -> str:
    return sha256(slices.pixels.tobytes()).hexdigest()


def _look_on_worker(job: Job, task: Sequence[tuple[int, Item]]) -> tuple[str, np.ndarray] | None:
    """SHA-256 of the pixels of a task's slices and their features, float32 (K, n, C); None where
    one cannot be read here.

    Raises:
        ClusterError: this worker runs another version, or does not find that network.
    """
    refuse_other_version(job.version)
    with _opening:
        trunks = _trunks(
            job.graph, job.sha256, job.backbone, job.segmentation, get_worker().state.nthreads
        )
    slices = prepare([item for _, item in task], job.image_size)
    return None if slices.skipped else (_digest(slices), job.look(trunks, slices, task[0][0]))


@lru_cache(maxsize=1)
def _trunks(graph: Path, digest: str, backbone: str, segmentation: str, threads: int) -> TrunkMaps:
    cv2.setNumThreads(1)  # as many tasks run at a time as Dask has threads
    if segmentation_id() != segmentation:
        raise ClusterError(
            N_("A worker finds lungs by another network than the machine that started the run.")
        )
    try:
        return TrunkMaps(Graph(read_verified(graph, digest), threads), get_backbone(backbone))
    except (OSError, GraphError) as error:
        raise ClusterError(
            N_(
                "A worker does not find the network in {folder}. Write to a folder that has the "
                "same path on all machines.",
                folder=graph.parent,
            )
        ) from error
