"""Workers that Slurm starts as jobs, for as long as a command has work for them.

It was never run on a real Slurm: tests look at the job, and run it by a stand-in for ``sbatch``.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dask
from distributed import Security

from covidct.errors import ConfigError
from covidct.messages import N_

if TYPE_CHECKING:
    from dask_jobqueue.slurm import SLURMCluster

_MOST_JOBS = 64
_MEMORY = 3  # GB for a core; a worker takes one at most
_NO_PAGES = {"dashboard": False, "dashboard_address": ":0"}
_SILENCE = "export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'"  # as for workers of this machine


@contextmanager
def slurm_cluster(queue: str) -> Iterator["SLURMCluster"]:
    """A scheduler in this process, and workers of one thread in jobs, closed to others by TLS.

    What else a job is given, Dask's settings ``jobqueue.slurm`` say: cores, memory, walltime,
    account, interface and so on.

    Args:
        queue: of Slurm (partition); empty is the usual one.

    Raises:
        ConfigError: Slurm cannot be reached from this machine, or dask-jobqueue is not installed.
    """
    if not find_spec("dask_jobqueue"):
        raise ConfigError(N_("Slurm needs dask-jobqueue: pip install dask-jobqueue."))
    if not shutil.which("sbatch"):
        raise ConfigError(N_("This machine gives no jobs to Slurm: it has no “sbatch”."))
    from dask_jobqueue.slurm import SLURMCluster

    settings = dask.config.get("jobqueue.slurm")
    cores = settings["cores"] or 1
    with (
        TemporaryDirectory(
            dir=settings["shared-temp-directory"] or Path.home(), prefix=".covidct-slurm-"
        ) as keys,
        SLURMCluster(
            queue=queue or None,
            cores=cores,
            processes=cores,
            memory=settings["memory"] or f"{_MEMORY * cores}GB",
            security=_security(Path(keys)),
            job_script_prologue=[*settings["job-script-prologue"], _SILENCE],
            worker_extra_args=["--no-dashboard", *settings["worker-extra-args"]],
            scheduler_options=_NO_PAGES | settings["scheduler-options"],
        ) as cluster,
    ):
        cluster.adapt(maximum_jobs=_MOST_JOBS)
        yield cluster


def _security(folder: Path) -> Security:
    """A certificate and its key for this run alone, in files that jobs find by the same path."""
    made = Security.temporary().get_tls_config_for_role("worker")
    files = {name: folder / name for name in ("ca_file", "cert", "key")}
    for name, file in files.items():
        file.write_text(made[name])
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=str(files["ca_file"]),
        **{f"tls_{role}_{part}": str(files[part]) for role in roles for part in ("cert", "key")},
    )
