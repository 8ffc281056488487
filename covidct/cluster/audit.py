"""Slices of an audit looked at by the workers of a Dask cluster: to the bit as here.

Workers read slices and model from files that all machines find by the same path.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock

from distributed import Client

import covidct
from covidct.cluster.connect import connect
from covidct.cluster.window import as_they_come, in_order
from covidct.cluster.worker import classifier_at, identity, refuse_other_version
from covidct.data.index import Skipped
from covidct.evaluation.audit.looks import (
    Asked,
    Looker,
    Seen,
    classifiers_by_change,
    look_at,
    look_here,
)
from covidct.evaluation.audit.robustness import Change
from covidct.inference.classifier import Classifier

_SLICES = 4  # in a task: some seconds of work
_making_floats = Lock()


@contextmanager
def looker_of(address: str) -> Iterator[Looker]:
    """What looks at slices on a cluster, as :func:`.looks.look_here` does here.

    Args:
        address: as :func:`covidct.cluster.connect.connect` takes it.

    Raises:
        ClusterError: there is no such cluster, or it was lost on the way.
        ConfigError: the address is none.
    """
    with connect(address) as client:
        yield partial(look_on, client)


def look_on(
    client: Client, classifier: Classifier, slices: Sequence[Asked]
) -> Iterator[Seen | Skipped]:
    """A :class:`.looks.Looker`: workers look at a few slices at a time.

    What a worker cannot read or does not survive is looked at in this process.

    Args:
        client: of the cluster.
        classifier: opened from a folder that workers see as well.
        slices: to be looked at.

    Raises:
        ClusterError: the cluster was lost, or a worker failed.
        ModelError: a worker cannot open the model.
    """
    assert classifier.folder
    model = classifier.folder.absolute(), identity(classifier.card)
    work = partial(_look_on_worker, *model, covidct.__version__)
    numbered = [(number, one.absolute()) for number, one in enumerate(slices)]
    tasks = [numbered[first : first + _SLICES] for first in range(0, len(numbered), _SLICES)]
    with closing(as_they_come(client, work, tasks)) as answered:
        yield from in_order(_numbered(classifier, *one) for one in answered)


def _numbered(
    classifier: Classifier, task: Sequence[tuple[int, Asked]], answer: list[Seen] | None
) -> Mapping[int, Seen | Skipped]:
    """What is kept of the slices of a task by their numbers."""
    found = answer or look_here(classifier, [one for _, one in task])
    return dict(zip((number for number, _ in task), found, strict=True))


def _look_on_worker(
    folder: Path, sha256: str, version: str, task: Sequence[tuple[int, Asked]]
) -> list[Seen] | None:
    """What is kept of the slices of a task; None where one cannot be read here.

    Raises:
        ClusterError: this worker runs another version.
        ModelError: it does not find that model.
    """
    refuse_other_version(version)
    classifier = classifier_at(folder, sha256)
    with _making_floats:
        by_change = _by_change(classifier)
    found = look_at(classifier, by_change, [one for _, one in task])
    seen = [one for one in found if isinstance(one, Seen)]
    return seen if len(seen) == len(task) else None


@lru_cache(maxsize=1)
def _by_change(classifier: Classifier) -> Mapping[Change, Classifier]:
    return classifiers_by_change(classifier)
