"""Slices judged by the workers of a Dask cluster: the same rows in the same order as here.

The machine that starts a run lists the inputs and draws the conclusions on series; workers read
and judge single slices from files that all machines find by the same path.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path

from distributed import Client

from covidct.cluster.connect import connect
from covidct.cluster.journal import Entry, Journal, slice_key
from covidct.cluster.rows import outcome_of
from covidct.cluster.window import as_they_come, in_order
from covidct.cluster.worker import Answer, Job, Slice, identity, judge_on_worker
from covidct.errors import UnreadableSlice
from covidct.inference.cases import Case
from covidct.inference.classifier import Classifier
from covidct.inference.judge import Admit, Judged, Refused, SliceJudge, judge_slice
from covidct.messages import N_

_SLICES = 16  # in a task: a second of work


@contextmanager
def judge_of(
    address: str, journal: Path | None = None, *, fingerprinted: bool = False
) -> Iterator[SliceJudge]:
    """What judges slices on a cluster, as :func:`covidct.inference.judge.judge_slices` does here.

    Args:
        address: as :func:`covidct.cluster.connect.connect` takes it.
        journal: a file of rows that are not judged again, to which new ones are added.
        fingerprinted: whether verdicts come with :attr:`.Judged.fingerprint`.

    Raises:
        ClusterError: there is no such cluster, or it was lost on the way.
        ConfigError: the address is none, or the journal cannot be used.
    """
    with ExitStack() as stack:
        kept = stack.enter_context(closing(Journal(journal))) if journal else None
        client = stack.enter_context(connect(address))
        yield partial(judge_on, client, kept, fingerprinted=fingerprinted)


def judge_on(
    client: Client,
    journal: Journal | None,
    classifier: Classifier,
    cases: Iterable[Case],
    admit: Admit,
    *,
    fingerprinted: bool = False,
) -> Generator[Judged | Refused, None, None]:
    """Judge slices on workers, and pass them on in their order.

    Rows enter the journal as they come. What a worker cannot read, as where it does not see the
    folder, is judged in this process.

    Args:
        client: of the cluster.
        journal: of rows that are not judged again, if their files are as they were.
        classifier: the network, opened from a folder that workers see as well.
        cases: slices of files.
        admit: a function of a module; passes a slice on, or refuses it by raising NotALungSlice.
        fingerprinted: as for :func:`judge_of`.

    Raises:
        ClusterError: the cluster was lost, or a worker failed.
        ModelError: a worker cannot open the model.
        ConfigError: the journal cannot be used.
    """
    assert classifier.folder
    job = Job(
        classifier.folder.absolute(), identity(classifier.card), admit, fingerprinted=fingerprinted
    )
    tasks = _tasks(_slices(cases, job, journal))
    with closing(as_they_come(client, partial(judge_on_worker, job), tasks)) as answered:
        yield from in_order(
            _outcomes(task, answers, job, journal, classifier) for task, answers in answered
        )


def _slices(cases: Iterable[Case], job: Job, journal: Journal | None) -> Iterator[Slice]:
    for number, case in enumerate(cases):
        yield Slice(number, case, journal.content(_key(case, job)) if journal else "")


def _key(case: Case, job: Job) -> str:
    path = case.file.name if case.file else case.place.file
    return slice_key(path, case.place.frame, job.sha256, job.admit.__name__, job.version)


def _tasks(slices: Iterable[Slice]) -> Iterator[list[Slice]]:
    """Tasks of some slices each; those of one file stay together, since it is opened once then."""
    task: list[Slice] = []
    for _, of_file in groupby(slices, lambda one: one.case.file):
        task += of_file
        if len(task) >= _SLICES:
            yield task
            task = []
    if task:
        yield task


def _outcomes(
    task: Sequence[Slice],
    answers: Sequence[Answer] | None,
    job: Job,
    journal: Journal | None,
    classifier: Classifier,
) -> dict[int, Judged | Refused]:
    """The outcomes of a task by the numbers of its slices; their rows enter the journal."""
    if answers is None:
        return {one.number: _given_up(one.case) for one in task}
    outcomes: dict[int, Judged | Refused] = {}
    new: list[Entry] = []
    for one, (content, row) in zip(task, answers, strict=True):
        case = one.case
        if row is None and journal and content:
            row = journal.row(_key(case, job))
        elif row is not None and journal and content:
            new.append(Entry(_key(case, job), content, row))
        outcomes[one.number] = (
            outcome_of(case, row) if row else judge_slice(classifier, case, job.admit)
        )
    if journal and new:
        journal.add(new)
    return outcomes


def _given_up(case: Case) -> Refused:
    return Refused(
        case,
        UnreadableSlice(
            N_("One worker after the other came to an end over this slice. Look at its file.")
        ),
    )
