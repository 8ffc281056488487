"""What a worker does: it judges a few slices by a model that it opens once.

A task names model and slices and holds neither. The worker opens the model by its folder and hash
when it is first asked, whenever it joined, and keeps the two that it opened last.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
from distributed import get_worker

import covidct
from covidct.cluster.rows import row_of
from covidct.errors import ClusterError, ModelError, UnreadableSlice
from covidct.imaging.file import File
from covidct.inference.card import ModelCard
from covidct.inference.cases import Case
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Admit, judge_slice
from covidct.messages import N_

_opening = threading.Lock()


def identity(card: ModelCard) -> str:
    """The hashes of a model and of what finds lungs and opacities for it."""
    return f"{card.sha256} {card.segmentation}"


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of a run have in common.

    Attributes:
        folder: of the model, as every machine finds it.
        sha256: of the model, as :func:`identity` has it.
        admit: a function of a module, passes a slice on or refuses it.
        version: of covidct, where the run was started.
        fingerprinted: whether a row holds the slice's fingerprint, a tenth of a verdict's work.
    """

    folder: Path
    sha256: str
    admit: Admit
    version: str = covidct.__version__
    fingerprinted: bool = False


class Slice(NamedTuple):
    """A slice to be judged.

    Attributes:
        number: among those of the run, from 0.
        case: the slice.
        known: SHA-256 of the file that a row is known of, else empty.
    """

    number: int
    case: Case
    known: str


class Answer(NamedTuple):
    """What came of a slice.

    Attributes:
        content: SHA-256 of its file; empty where there is none or this worker cannot read it.
        row: as :mod:`covidct.cluster.rows` has it; None where the known one holds, or where the
            file cannot be read here.
    """

    content: str
    row: str | None


def judge_on_worker(job: Job, slices: Sequence[Slice]) -> list[Answer]:
    """Judge slices, those of one file together, in the thread that Dask gives the task.

    Raises:
        ClusterError: this worker runs another version of covidct.
        ModelError: it does not find that model.
    """
    refuse_other_version(job.version)
    classifier = classifier_at(job.folder, job.sha256)
    contents: dict[File, str] = {}
    return [_answer(classifier, job, one, contents) for one in slices]


def classifier_at(folder: Path, sha256: str) -> Classifier:
    """The model in a folder, which this worker opens once.

    Args:
        folder: of the model.
        sha256: of the model, as :func:`identity` has it.

    Raises:
        ModelError: it does not find that model.
    """
    with _opening:
        try:
            return _opened(folder, sha256, get_worker().state.nthreads)
        except ModelError as error:
            raise ModelError(
                N_("A worker cannot open the model: {reason}", reason=error.message)
            ) from error


def refuse_other_version(version: str) -> None:
    """Compare with the version where the run was started.

    Raises:
        ClusterError: this worker runs another one.
    """
    if version != covidct.__version__:
        raise ClusterError(
            N_(
                "A worker runs version {theirs} of covidct, and this is {ours}. Rows would differ: "
                "install the same everywhere.",
                theirs=covidct.__version__,
                ours=version,
            )
        )


def _answer(classifier: Classifier, job: Job, one: Slice, contents: dict[File, str]) -> Answer:
    file = one.case.file
    try:
        if file and file not in contents:
            contents[file] = hashlib.sha256(file.read()).hexdigest()
    except (OSError, UnreadableSlice):
        return Answer("", None)
    content = contents[file] if file else ""
    if content and content == one.known:
        return Answer(content, None)
    outcome = judge_slice(classifier, one.case, job.admit)
    return Answer(content, row_of(outcome, fingerprinted=job.fingerprinted))


@lru_cache(maxsize=2)
def _opened(folder: Path, sha256: str, threads: int) -> Classifier:
    """The model; as many passes side by side as the worker has threads.

    Raises:
        ModelError: there is none, or it is another one.
    """
    cv2.setNumThreads(1)  # as many tasks run at a time as Dask has threads
    classifier = Classifier.open(folder, threads)
    if identity(classifier.card) != sha256:
        raise ModelError(
            N_("In {folder} it finds another one than there was at the start.", folder=folder)
        )
    return classifier
