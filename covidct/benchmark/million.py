"""A million slices on a cluster whose tasks only wait: what the scheduler takes meanwhile.

python -m covidct.benchmark.million --out million.json --picture million.png

Slices are handed over as ``--cluster`` does it, by tasks of the same size, to a scheduler in a
process of its own; the files that they name do not exist, and nothing is judged.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from distributed import Client
from distributed.protocol.serialize import serialize

from covidct.benchmark.waiting import A_TASK, tasks, wait_for
from covidct.cluster.window import as_they_come
from covidct.cluster.worker import Job, Slice
from covidct.home import CALLER
from covidct.imaging.anatomy.gate import check_lung_slice
from covidct.jobs.process import memory_mb

SLICES = 1_000_000
_POINTS = 50  # at which is measured
_WORKERS, _THREADS = 2, 16


def measure(slices: int) -> dict[str, object]:
    """Memory of the scheduler in MB, and bytes of a task, after so many slices."""
    job = Job(Path("/weights/covidct-astra"), "0" * 64, check_lung_slice)
    every = max(1, slices // A_TASK // _POINTS)
    done, memory, sizes = [0], [], []
    started = time.perf_counter()
    with _cluster() as client:
        memory.append(client.run_on_scheduler(memory_mb))
        sizes.append(_bytes_of(next(tasks(slices))))
        work = partial(wait_for, job)
        for number, (task, _) in enumerate(as_they_come(client, work, tasks(slices)), 1):
            if number % every == 0:
                done.append(number * A_TASK)
                memory.append(client.run_on_scheduler(memory_mb))
                sizes.append(_bytes_of(task))
    taken = time.perf_counter() - started
    return {"slices": done, "scheduler_mb": memory, "task_bytes": sizes, "seconds": taken}


def _bytes_of(task: Sequence[Slice]) -> int:
    _, frames = serialize(task)
    return sum(map(len, frames))


@contextmanager
def _cluster() -> Iterator[Client]:
    """A scheduler and workers on loopback, each a process."""
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "scheduler.json"
        known = ["--scheduler-file", str(file), "--no-dashboard"]
        here = ["--host", "127.0.0.1"]
        threads = ["--nthreads", str(_THREADS), "--local-directory", scratch]
        processes = [_dask("scheduler", "--port", "0", *known, *here)]
        try:
            processes += [_dask("worker", *known, *here, *threads) for _ in range(_WORKERS)]
            while not file.exists() or not file.read_text().endswith("}"):
                if processes[0].poll() is not None:
                    raise subprocess.CalledProcessError(processes[0].returncode, "dask scheduler")
                time.sleep(0.1)
            with Client(scheduler_file=str(file)) as client:
                client.wait_for_workers(_WORKERS)
                yield client
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait()


def _dask(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "dask", *arguments]
    return subprocess.Popen(command, cwd=CALLER, stderr=subprocess.DEVNULL)


def draw(figures: Mapping, path: Path) -> None:
    """Write a PNG of both curves over the slices; tests/requirements.txt brings matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure((7, 2.8), dpi=150, layout="constrained")
    for axes, name, unit in zip(
        figure.subplots(1, 2),
        ("scheduler_mb", "task_bytes"),
        ("memory of the scheduler, MB", "size of a task, bytes"),
        strict=True,
    ):
        axes.plot(figures["slices"], figures[name], color="#0e6173")
        axes.set(xlabel="slices done", ylabel=unit, ylim=(0, 1.3 * max(figures[name])))
    figure.savefig(path)


def main(arguments: list[str]) -> None:
    """Measure, and write figures and picture."""
    parser = argparse.ArgumentParser("covidct.benchmark.million")
    parser.add_argument("--slices", type=int, default=SLICES)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--picture", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    figures = measure(options.slices)
    options.out.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    if options.picture:
        draw(figures, options.picture)


if __name__ == "__main__":
    main(sys.argv[1:])
