"""Workers by Slurm: the job that it is given, and that job run by a stand-in for Slurm."""

import os
import signal
import sys
import time
from pathlib import Path

import cv2
import dask
import patience
import pytest

from covidct.cluster.connect import connect
from covidct.cluster.slurm import slurm_cluster
from covidct.errors import ConfigError

# As Slurm does, it keeps the script, which dask-jobqueue deletes as soon as this has ended.
SBATCH = """#!/bin/sh
cp "$1" "$0.script.$$"
setsid sh "$0.script.$$" >> "$0.log" 2>&1 &
echo "Submitted batch job $!" | tee -a "$0.jobs"
"""
SCANCEL = """#!/bin/sh
kill -- "-$1"
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """What runs a job on this machine at once; the folder of its programs and of what they note."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__INTERFACE", "lo")  # a machine may have no other
    dask.config.refresh()
    yield folder
    monkeypatch.undo()
    dask.config.refresh()
    for job in filter(_is_at_work, _jobs(folder)):
        os.killpg(job, signal.SIGKILL)


def _jobs(folder):
    noted = folder / "sbatch.jobs"
    lines = noted.read_text().splitlines() if noted.exists() else []
    return [int(line.split()[-1]) for line in lines]


def _is_at_work(job):
    try:
        os.killpg(job, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("settings", "cores"),
    [({}, 1), ({"jobqueue.slurm.cores": 6, "jobqueue.slurm.memory": "20GB"}, 6)],
)
@pytest.mark.usefixtures("slurm")
def test_a_job_starts_workers_of_one_thread_behind_tls(settings, cores):
    with dask.config.set(settings), slurm_cluster("lungs") as cluster:
        script, address = cluster.job_script(), cluster.scheduler_address
    header = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    assert {"#SBATCH -p lungs", f"#SBATCH --cpus-per-task={cores}"} <= set(header)
    assert f"#SBATCH --mem={3 if cores == 1 else 19}G" in header
    (worker,) = (line for line in script.splitlines() if "dask_worker" in line)
    assert worker.startswith(f"{sys.executable} -m distributed.cli.dask_worker tls://")
    assert address in worker and "--nthreads 1 " in worker and "--tls-key " in worker
    assert "--no-dashboard" in worker.split()  # pages that Bokeh brings, whatever routes are named
    assert ("--nworkers 6 " in worker) == (cores == 6)


def test_slices_are_judged_in_jobs_which_end_with_the_command(run, slurm, tiny_model, phantoms):
    data = slurm / "slices"
    data.mkdir()
    for number, phantom in enumerate(phantoms):
        cv2.imwrite(str(data / f"{number}.png"), phantom.ct_slice.pixels)
    asked = ("classify", data, "--json", "--model", tiny_model)
    done, expected = run(*asked, "--cluster", "slurm"), run(*asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected.stdout
    jobs = _jobs(slurm)
    assert jobs
    deadline = time.monotonic() + patience.SECONDS
    while any(map(_is_at_work, jobs)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not list(Path.home().glob(".covidct-slurm-*"))  # with the key


def test_where_there_is_no_slurm_that_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="no “sbatch”"), connect("slurm:lungs"):
        pass
