"""Slices of an audit on a cluster of real processes, which the tests of this file share."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from covidct.cluster.audit import _by_change, look_on
from covidct.cluster.worker import _opened
from covidct.data.index import Skipped, read_index
from covidct.evaluation.audit.looks import Asked, look_here
from covidct.inference.calibration import Calibration
from covidct.inference.card import read_card
from covidct.inference.classifier import Classifier


@pytest.fixture(scope="module")
def model(tiny_model, tmp_path_factory):
    """One that is compared with floats, as if it ran in integers, and often says Positive."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(tiny_model, folder)
    card = read_card(folder)
    replace(card, in_integers=True, calibration=Calibration(1.0, 0.3, (0.29, 0.31))).write(folder)
    return folder


@pytest.fixture(scope="module")
def data(phantom_dataset, tmp_path_factory):
    """With a file that nobody can read."""
    folder = tmp_path_factory.mktemp("data") / "drawn"
    shutil.copytree(phantom_dataset, folder)
    (folder / "CT_COVID" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return folder


@pytest.fixture(scope="module")
def asked(data):
    """Thirteen slices and the broken one, of which every other is changed as well."""
    return [Asked(item, number % 2 == 0) for number, item in enumerate(read_index(data).items[:14])]


@pytest.fixture(scope="module")
def classifier(model):
    return Classifier.open(model)


@pytest.fixture(scope="module")
def expected(classifier, asked):
    rows = list(map(row, look_here(classifier, asked)))
    assert any(one[-1] for one in rows) and not all(one[-1] for one in rows)  # were painted over
    return rows


def row(one):
    """All that is known of a slice, numbers to the last bit."""
    if isinstance(one, Skipped):
        return one.path.name, one.reason, None
    features = [
        (name, values.dtype, values.tobytes())
        for some in (one.picture, one.network)
        for name, values in some.items()
    ]
    known = one.item.name, one.attributes, features, one.scores, one.probability, one.changed
    return *known, one.repainted


@pytest.mark.usefixtures("client")  # with which workers come
def test_the_command_writes_on_a_cluster_what_it_writes_without(
    run, cluster, monkeypatch, model, data, tmp_path
):
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    written = []
    for number, where in enumerate(((), ("--cluster", cluster.address))):
        out = tmp_path / str(number)
        done = run("audit", "--data", data, "--model", model, "--out", out, "--json", *where)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        written.append((done.stdout, (out / "audit.json").read_bytes()))
    assert written[0] == written[1]


def test_slices_are_the_same_to_the_bit_and_each_worker_opens_the_model_once(
    client, classifier, asked, expected
):
    assert list(map(row, look_on(client, classifier, asked))) == expected
    for cached in (_opened, _by_change):
        assert max(info.misses for info in client.run(cached.cache_info).values()) == 1


def test_a_worker_that_is_killed_loses_nothing(client, cluster, classifier, asked, expected):
    cluster.have_workers(client, 2)
    looked = look_on(client, classifier, asked * 2)
    first = row(next(looked))
    next(one for one in cluster.processes[1:] if one.poll() is None).kill()
    assert [first, *map(row, looked)] == expected * 2


def test_what_workers_cannot_read_is_looked_at_where_the_run_was_started(
    client, classifier, asked, expected
):
    """A file that this process alone has open."""
    first = asked[0]
    with first.item.path.open("rb") as file:
        mine = replace(first.item, path=Path(f"/proc/self/fd/{file.fileno()}"))
        looked = look_on(client, classifier, [Asked(mine, first.is_changed), *asked[1:]])
        assert list(map(row, looked)) == expected
