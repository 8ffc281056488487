import gc

import dask
import pytest
from app_server import free_port
from dask_cluster import dask_cluster

from covidct.cluster.connect import connect, leaves_machine_unencrypted
from covidct.cluster.window import as_they_come
from covidct.errors import ClusterError, ConfigError


@pytest.mark.parametrize("address", ["slurmed", "", "http://localhost:8786", "tcp", "LOCAL"])
def test_what_is_no_cluster_is_refused(address):
    with pytest.raises(ConfigError, match="is no cluster"), connect(address):
        pass


def test_a_scheduler_that_is_not_there_is_told(monkeypatch):
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ClusterError, match=f"No scheduler answers at {address}"),
        connect(address),
    ):
        pass


@pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")  # Dask lets go of one
def test_a_scheduler_without_workers_is_told(tmp_path):
    with dask_cluster(tmp_path) as idle:
        timeout = {"distributed.comm.timeouts.connect": "1s"}
        with (
            dask.config.set(idle.client_settings | timeout),
            pytest.raises(ClusterError, match=f"within 1 s.*“dask worker {idle.address}”"),
            connect(idle.address),
        ):
            pass
    gc.collect()


@pytest.mark.parametrize("address", ["tcp://localhost:port", "tcp://", "tls://127.0.0.1:1"])
def test_settings_that_cannot_be_are_told(address):
    with pytest.raises((ConfigError, ClusterError)), connect(address):
        pass


def test_only_what_is_not_encrypted_and_leaves_the_machine_is_warned_of():
    warned = ["tcp://10.0.0.5:8786", "tcp://scheduler:8786", "tcp://[fe80::1]:8786"]
    fine = ["local", "tls://scheduler:8786", "tcp://127.0.0.1:1", "tcp://localhost:1"]
    assert list(map(leaves_machine_unencrypted, warned)) == [True] * 3
    assert list(map(leaves_machine_unencrypted, [*fine, "tcp://[::1]:8786"])) == [False] * 5


@pytest.mark.parametrize(
    "arguments",
    [("classify", "--journal", "j"), ("report", "--cluster", "local", "--pdf", "a.pdf")],
)
def test_what_does_not_go_together_is_wrong_usage(run, arguments, tmp_path):
    assert run(*arguments, tmp_path).returncode == 2


def test_cross_validation_refuses_what_is_no_cluster_and_leaves_nothing(
    run, phantom_dataset, tmp_path
):
    source = f"drawn={phantom_dataset}"
    done = run("cross-validate", "--source", source, "--out", tmp_path / "made", "--cluster", "pbs")
    assert done.returncode == 1 and "is no cluster" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_scheduler_that_itself_gives_up_on_workers_is_told_alike(tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT", "1s")
    with dask_cluster(tmp_path) as idle, dask.config.set(idle.client_settings):
        idle.add_worker()
        with connect(idle.address) as client:
            idle.processes[-1].kill()
            with pytest.raises(ClusterError, match="no worker for 1 s"):
                list(as_they_come(client, len, [[1]]))
